/** The way to the views: a column at the edge of the window, on phones a bar at its lower end. */

import { html } from "./html.js";
import { t } from "./i18n.js";
import { notificationCount } from "./notification_count.js";
import { attempt } from "./people/action.js";
import { theme } from "./preferences.js";
import { navigate, route } from "./route.js";
import { openShortcuts } from "./shortcuts.js";
import { signOut } from "./store/sign_in.js";
import { me, unreadTotal } from "./store/state.js";
import { Avatar, Badge, Icon, Menu } from "./ui/index.js";

/**
 * The entries of the menu that chooses the theme.
 *
 * @returns {import("./ui/menu.js").MenuItem[]}
 */
export function themeItems() {
  const icons = { system: "monitor", light: "sun", dark: "moon" };
  return Object.entries(icons).map(([name, icon]) => ({
    label: t(`settings.theme_${name}`),
    icon,
    checked: theme.value === name,
    onSelect: () => (theme.value = name),
  }));
}

function RailLink({ view, icon, label, count = 0, countLabel }) {
  return html`
    <li>
      <a class="rail-link" href=${`#/${view}`} aria-current=${route.value.view === view ? "page" : undefined}>
        <span class="rail-icon">
          <${Icon} name=${icon} size=${22} /><${Badge} count=${count} label=${countLabel} />
        </span>
        <span class="rail-label">${label}</span>
      </a>
    </li>
  `;
}

function AccountMenu() {
  const items = [
    { label: t("settings.profile"), icon: "user", onSelect: () => navigate("#/settings/profile") },
    { label: t("settings.title"), icon: "settings", onSelect: () => navigate("#/settings") },
    { label: t("shortcuts.title"), icon: "keyboard", hint: "?", onSelect: openShortcuts },
    "-",
    ...themeItems(),
    "-",
    { label: t("settings.sign_out"), icon: "log-out", onSelect: () => attempt(signOut) },
  ];
  const button = ({ buttonRef, class: _class, ...props }) => html`
    <button type="button" ref=${buttonRef} class="rail-account" ...${props} title=${me.value.user_name}
      aria-label=${t("settings.account_menu", { name: me.value.user_name })}>
      <${Avatar} userId=${me.value.id} size=${40} />
    </button>
  `;
  return html`<${Menu} items=${items} label=${me.value.user_name} placement="top-start" button=${button} />`;
}

/** The navigation between the views. */
export function Rail() {
  const unread = unreadTotal.value;
  const waiting = notificationCount.value;
  return html`
    <nav class="rail" aria-label=${t("common.navigation")}>
      <ul class="rail-links">
        <${RailLink} view="chats" icon="chat" label=${t("chats.title")} count=${unread}
          countLabel=${t("chats.unread", { count: unread })} />
        <${RailLink} view="friends" icon="friends" label=${t("friends.title")} />
        <${RailLink} view="notifications" icon="bell" label=${t("notifications.title_short")} count=${waiting}
          countLabel=${t("notifications.waiting", { count: waiting })} />
        <${RailLink} view="settings" icon="settings" label=${t("settings.title")} />
      </ul>
      <div class="rail-end"><${AccountMenu} /></div>
    </nav>
  `;
}
