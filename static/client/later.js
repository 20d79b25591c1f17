/**
 * What a first visit does not need: loaded when it is asked for, or when the page has nothing else to do.
 * The server gives all of it as one file, apart from what is needed at once.
 */

import { html, signal, useEffect, useState } from "./html.js";
import { t } from "./i18n.js";
import { showToast } from "./toasts.js";
import { Skeleton } from "./ui/waiting.js";

const friendsView = () => import("./people/friends_view.js");
const findPeople = () => import("./people/find_people.js");
const personPanel = () => import("./people/person_panel.js");
const groupPanel = () => import("./group/group_panel.js");
const newGroup = () => import("./group/new_group.js");
const notifications = () => import("./notifications.js");
const settingsView = () => import("./settings/settings_view.js");
const quickSwitcher = () => import("./quick_switcher.js");

/** After an update of the server the files of the old version are gone; or there is no connection. */
function offerReload() {
  showToast(t("common.part_missing"), {
    kind: "error", action: { label: t("common.reload"), run: () => location.reload() },
  });
}

/**
 * A component that is loaded when it is first shown. For parts of plugins, too.
 * @param {() => Promise<object>} load such as `() => import("./panel.js")`
 * @param {string} name under which the module exports it
 */
export function loadedLater(load, name) {
  let Loaded = null;
  return function Later(props) {
    const [isLoaded, setLoaded] = useState(Loaded !== null);
    useEffect(() => {
      if (Loaded !== null) return undefined;
      let isWanted = true;
      load().then((module) => {
        Loaded = module[name];
        if (isWanted) setLoaded(true);
      }, offerReload);
      return () => { isWanted = false; };
    }, []);
    return isLoaded ? html`<${Loaded} ...${props} />` : html`<${Skeleton} rows=${4} />`;
  };
}

/** A function that is loaded when it is first called. */
function opener(load, name) {
  return async (...given) => {
    let module;
    try {
      module = await load();
    } catch {
      offerReload();
      return undefined;
    }
    return module[name](...given);
  };
}

export const FriendsView = loadedLater(friendsView, "FriendsView");
export const NotificationsView = loadedLater(notifications, "NotificationsView");
export const SettingsView = loadedLater(settingsView, "SettingsView");
export const GroupPanel = loadedLater(groupPanel, "GroupPanel");
export const PersonPanel = loadedLater(personPanel, "PersonPanel");
export const openFindPeople = opener(findPeople, "openFindPeople");
export const openNewGroup = opener(newGroup, "openNewGroup");
export const openPersonCard = opener(personPanel, "openPersonCard");
export const openQuickSwitcher = opener(quickSwitcher, "openQuickSwitcher");

/**
 * The module that makes Markdown of texts, once it is there; null before.
 * @type {import("@preact/signals").Signal<{rendered: (text: string) => DocumentFragment}|null>}
 */
export const markdown = signal(null);

let isMarkdownAsked = false;

/** Fetch what makes Markdown of texts, unless that is done. A failure is tried again when the connection is back. */
export function fetchMarkdown() {
  if (isMarkdownAsked) return;
  isMarkdownAsked = true;
  import("./conversation/markdown.js").then(
    (module) => { markdown.value = module; },
    () => {
      isMarkdownAsked = false;
      addEventListener("online", fetchMarkdown, { once: true });
    },
  );
}

/** Fetch all of it now, so that it is at hand. A failure is told when it is asked for. */
export function fetchLater() {
  fetchMarkdown();
  for (const load of [settingsView, friendsView, findPeople, groupPanel, newGroup, notifications, quickSwitcher]) {
    load().catch(() => {});
  }
}
