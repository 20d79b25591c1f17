/** What the parts of plugins may import, under the name "nova". The same names as inside the client. */

export * from "./html.js";
export * from "./ui/index.js";
export {
  t, language, formatTime, formatDate, formatDay, formatRelative, formatSize, formatList, formatNumber, errorText,
  systemText,
} from "./i18n.js";
export { config, localUrl } from "./config.js";
export { loadedLater } from "./later.js";
export { route, navigate } from "./route.js";
export { parts } from "./registry.js";
export { isManaged, managedLists } from "./managed_lists.js";
export { attempt, useAction } from "./people/action.js";
export { LongList, moveAmongRows } from "./people/long_list.js";
export { openPrivateChat } from "./people/relation.js";
export { MessageText } from "./conversation/message_text.js";
export { plainText, writtenText } from "./chat_preview.js";
export { ApiError, request, upload } from "./store/requests.js";
export { onPacket } from "./store/packets.js";
export { sendMessage } from "./store/outbox.js";
export { acceptInvitation, findUsers, inviteFriend } from "./store/friends.js";

import * as state from "./store/state.js";

/** The signals of the store: to read, not to write. */
export { state };
