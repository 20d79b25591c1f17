/** The whole client: which page is shown, how its parts lie beside each other, and where the focus goes. */

import { html, useEffect, useLayoutEffect, useRef } from "./html.js";
import { t } from "./i18n.js";
import { ChatList } from "./chat_list.js";
import { ConnectionBanner } from "./connection_banner.js";
import { Conversation } from "./conversation/conversation.js";
import { FriendsView, NotificationsView, openQuickSwitcher, SettingsView } from "./later.js";
import { Rail } from "./rail.js";
import { navigate, route } from "./route.js";
import { openShortcuts, useShortcut } from "./shortcuts.js";
import { SignIn } from "./sign_in.js";
import { chatList, chats, chatTitle, session, unreadTotal } from "./store/state.js";
import { showToast, Toasts } from "./toasts.js";
import { DialogHost, EmptyState, isPhone, keyNames, MenuHost, Panes } from "./ui/index.js";
import { Unreachable } from "./unreachable.js";

function NoChatOpen() {
  const keys = keyNames("ctrl+k").map((name) => html`<kbd>${name}</kbd>${" "}`);
  return html`<${EmptyState} icon="chat" title=${t("chats.none_open_title")}
    text=${isPhone.value ? null : html`${keys}${t("chats.none_open_text")}`} />`;
}

function ChatsView() {
  const { chatId } = route.value;
  const main = chatId === null ? html`<${NoChatOpen} />` : html`<${Conversation} key=${chatId} chatId=${chatId} />`;
  return html`<${Panes} list=${html`<${ChatList} />`} listLabel=${t("chats.title")} main=${main}
    isMainOpen=${chatId !== null} />`;
}

const VIEWS = { chats: ChatsView, friends: FriendsView, notifications: NotificationsView, settings: SettingsView };

/** Open the chat before or behind the open one in the list; none open: the first or the last. */
function openNeighbour(step) {
  const ids = chatList.value.map((chat) => chat.chat_id);
  const at = ids.indexOf(route.value.chatId);
  const next = at < 0 ? ids.at(step > 0 ? 0 : -1) : ids[at + step];
  if (next !== undefined) {
    navigate(`#/chats/${next}`);
  }
}

function openNextUnread() {
  const unread = chatList.value.find((chat) => chat.unread_count > 0 && chat.chat_id !== route.value.chatId);
  if (unread) {
    navigate(`#/chats/${unread.chat_id}`);
  }
}

/** Where one is, for the tab's title; the number of unread messages stands before it. */
function useTitle() {
  const { view, chatId } = route.value;
  const chat = view === "chats" ? chats.value.get(chatId) : undefined;
  const titles = {
    chats: () => (chat ? chatTitle(chat) : t("chats.title")),
    friends: () => t("friends.title"),
    notifications: () => t("notifications.title"),
    settings: () => t("settings.title"),
  };
  const isSignedIn = session.value.status === "signed_in";
  const place = isSignedIn ? `${(titles[view] ?? titles.chats)()} · Nova` : "Nova";
  const unread = isSignedIn ? unreadTotal.value : 0;
  useEffect(() => {
    document.title = unread ? `(${unread}) ${place}` : place;
  }, [place, unread]);
}

/**
 * Keep the focus on what is shown. On phones one pane replaces the other, and what had the focus is gone: forth it goes
 * to the new pane's title (not to a field, which would bring up the keyboard), back to the row of the chat.
 */
function useFocus(view, chatId) {
  const last = useRef({ view, chatId });
  useLayoutEffect(() => {
    const before = last.current;
    last.current = { view, chatId };
    if (!isPhone.peek() || (before.view === view && before.chatId === chatId)) {
      return;
    }
    const row = before.chatId !== null && document.querySelector(`[data-chat-id="${before.chatId}"]`);
    const pane = document.querySelector(chatId === null ? ".panes-list" : ".panes-main");
    const target = chatId === null && view === before.view ? row : pane?.querySelector(".pane-title") ?? pane;
    target?.focus({ preventScroll: true });
  }, [view, chatId]);
}

function Shell() {
  const { view, chatId } = route.value;
  const View = VIEWS[view] ?? ChatsView;
  useShortcut("ctrl+k", openQuickSwitcher, t("shortcuts.quick_switcher"));
  useShortcut("alt+arrowup", () => openNeighbour(-1), t("shortcuts.previous_chat"));
  useShortcut("alt+arrowdown", () => openNeighbour(1), t("shortcuts.next_chat"));
  useShortcut("alt+u", openNextUnread, t("shortcuts.next_unread"));
  useShortcut("escape", null, t("shortcuts.escape"));
  useShortcut("?", openShortcuts, t("shortcuts.title"));
  useFocus(view, chatId);
  const skip = (event) => {
    event.preventDefault(); // "#main" would be taken for a place of the app
    (document.querySelector("section[role=main]") ?? document.getElementById("main")).focus();
  };
  return html`
    <div class="shell">
      <a class="skip-link" href="#main" onClick=${skip}>${t("common.skip_to_content")}</a>
      <${Rail} />
      <${ConnectionBanner} />
      <${View} />
    </div>
  `;
}

/** A page's outline while it is not known who is there; the same as in client.html. */
function Starting() {
  const bars = (count) => Array.from({ length: count }, (_, index) => html`<i key=${index} />`);
  return html`
    <div class="boot" aria-hidden="true">
      <div class="boot-rail">${bars(3)}</div>
      <div class="boot-list"><b />${bars(6)}</div>
      <div class="boot-main"></div>
    </div>
  `;
}

const PAGES = { loading: Starting, signed_out: SignIn, unreachable: Unreachable, signed_in: Shell };

/** Offer to load the page again when another version of the server has taken over: this one's files are gone. */
function useUpdateNotice() {
  useEffect(() => {
    const worker = navigator.serviceWorker;
    if (!worker?.controller) {
      return undefined; // the first worker is no update
    }
    const offer = () =>
      showToast(t("common.updated"), { action: { label: t("common.reload"), run: () => location.reload() } });
    worker.addEventListener("controllerchange", offer);
    return () => worker.removeEventListener("controllerchange", offer);
  }, []);
}

/** The app. */
export function App() {
  useTitle();
  useUpdateNotice();
  const Page = PAGES[session.value.status];
  const lastPage = useRef(Page);
  useLayoutEffect(() => {
    const hasSignedIn = lastPage.current === SignIn && Page === Shell;
    lastPage.current = Page;
    if (hasSignedIn) {
      document.querySelector(".pane-title")?.focus(); // the form that had the focus is gone
    }
  }, [Page]);
  return html`<${Page} /><${DialogHost} /><${MenuHost} /><${Toasts} />`;
}
