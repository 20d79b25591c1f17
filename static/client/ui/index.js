/** The ui kit: what all parts of the client are built of. */

export { Avatar, ChatAvatar, initials } from "./avatar.js";
export { Button, IconButton, LinkButton } from "./button.js";
export { Checkbox, Choice, Select, Switch } from "./choices.js";
export { confirmDialog, Dialog, DialogHost, openDialog, promptDialog } from "./dialog.js";
export { Field, SearchField } from "./field.js";
export { keepFocus } from "./focus.js";
export { Icon } from "./icon.js";
export { ICONS } from "./icons.js";
export { Badge, Notice, Tag } from "./labels.js";
export { Menu, MenuHost, openMenu } from "./menu.js";
export { Pane, Panes } from "./pane.js";
export { Popover } from "./popover.js";
export { Tabs } from "./tabs.js";
export { EmptyState, Skeleton, Spinner } from "./waiting.js";
export { isPhone } from "./viewport.js";
export { showToast } from "../toasts.js";
export { keyNames, useShortcut } from "../shortcuts.js";
