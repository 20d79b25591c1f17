import { html, useLayoutEffect, useRef } from "../html.js";
import { t } from "../i18n.js";
import { settingsPages } from "../registry.js";
import { navigate, route } from "../route.js";
import { me } from "../store/state.js";
import { Avatar, Icon, isPhone, Pane, Panes } from "../ui/index.js";
import { AboutSettings } from "./about_settings.js";
import { AccountSettings } from "./account_settings.js";
import { AppearanceSettings } from "./appearance_settings.js";
import { NotificationSettings } from "./notification_settings.js";
import { ProfileSettings } from "./profile_settings.js";
import { SignOutRow } from "./sign_out.js";

/** The pages, those of plugins before the last one: {id, title(), icon, component}. */
const pages = () => [
  { id: "profile", title: () => t("settings.profile"), icon: "user", component: ProfileSettings },
  { id: "account", title: () => t("settings.account"), icon: "key", component: AccountSettings },
  { id: "appearance", title: () => t("settings.appearance"), icon: "sun", component: AppearanceSettings },
  { id: "notifications", title: () => t("settings.notifications"), icon: "bell", component: NotificationSettings },
  ...settingsPages.value,
  { id: "about", title: () => t("settings.about"), icon: "info", component: AboutSettings },
];

function PageLink({ page, isOpen }) {
  return html`
    <li>
      <a class="row settings-link" href=${`#/settings/${page.id}`} aria-current=${isOpen ? "page" : undefined}>
        <${Icon} name=${page.icon} /><span class="row-words">${page.title()}</span>
        <${Icon} name="chevron-right" size=${16} class="phones-only" />
      </a>
    </li>
  `;
}

function ListPane({ openId }) {
  const [profile, ...others] = pages();
  const { id, user_name: name, email } = me.value;
  return html`
    <${Pane} title=${t("settings.title")} headingLevel="h1">
      <nav class="settings-list" aria-label=${t("settings.title")}>
        <a class="row settings-me" href=${`#/settings/${profile.id}`}
          aria-current=${openId === profile.id ? "page" : undefined}>
          <${Avatar} userId=${id} size=${48} />
          <span class="row-words">
            <span class="row-title">${name}</span>
            <span class="row-text">${email || t("settings.edit_profile")}</span>
          </span>
        </a>
        <ul>${others.map((page) => html`<${PageLink} key=${page.id} page=${page} isOpen=${page.id === openId} />`)}</ul>
        <hr />
        <${SignOutRow} />
      </nav>
    <//>
  `;
}

/** On phones a page replaces the list and the other way round: the focus goes to its title, and back to the link. */
function useFocus(pageId) {
  const last = useRef(pageId);
  useLayoutEffect(() => {
    const before = last.current;
    last.current = pageId;
    if (isPhone.peek() && before !== pageId) {
      const target = pageId
        ? document.querySelector(".panes-main .pane-title")
        : document.querySelector(`.settings-list a[href="#/settings/${before}"]`);
      target?.focus({ preventScroll: true });
    }
  }, [pageId]);
}

/** The view "settings": #/settings, where wide screens show the first page at once, and #/settings/<id of a page>. */
export function SettingsView() {
  const [pageId] = route.value.params;
  const all = pages();
  const page = all.find(({ id }) => id === pageId) ?? all[0];
  const isOpen = all.some(({ id }) => id === pageId);
  useFocus(isOpen ? pageId : null);
  if (!me.value) {
    return null; // signed out this moment
  }
  const main = html`
    <${Pane} key=${page.id} title=${page.title()} onBack=${() => navigate("#/settings")} backOnPhonesOnly isNarrow>
      <${page.component} />
    <//>
  `;
  return html`<${Panes} listLabel=${t("settings.title")} isMainOpen=${isOpen} main=${main}
    list=${html`<${ListPane} openId=${isOpen || !isPhone.value ? page.id : null} />`} />`;
}
