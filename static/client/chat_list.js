/** The list of the chats: searched, walked with the arrow keys, and drawn only as far as it is in sight. */

import { html, useEffect, useLayoutEffect, useRef, useState } from "./html.js";
import { formatDate, formatRelative, formatTime, t } from "./i18n.js";
import { ChatPreview } from "./chat_preview.js";
import { openFindPeople, openNewGroup } from "./later.js";
import { welcomeActions } from "./registry.js";
import { route } from "./route.js";
import { chatBeingRead, chatList, chatTitle, displayName, isBot, isLoaded, otherMember } from "./store/state.js";
import {
  Badge, Button, ChatAvatar, EmptyState, IconButton, Pane, SearchField, Skeleton, Tag, useShortcut,
} from "./ui/index.js";

/** The height of a row in rem, as shell.css has it; all rows are equal, so that their places need no measuring. */
const ROW_REM = 4.25;
/** So many rows are drawn beyond both edges of what is in sight. */
const EXTRA_ROWS = 6;
/** Rows of the first drawing, when the height of the list is not known yet. */
const FIRST_ROWS = 20;

const rowPx = () => ROW_REM * parseFloat(getComputedStyle(document.documentElement).fontSize);

/**
 * The chats whose title or members' names have a text in them.
 *
 * @param {object[]} chats
 * @param {string} text
 */
export function filterChats(chats, text) {
  const wanted = text.trim().toLocaleLowerCase();
  const has = (name) => name.toLocaleLowerCase().includes(wanted);
  return wanted
    ? chats.filter((chat) => has(chatTitle(chat)) || chat.member_ids.some((id) => has(displayName(id))))
    : chats;
}

/** Clock time today, else the day, in few signs. */
function ChatTime({ time_s }) {
  const isToday = new Date(time_s * 1000).toDateString() === new Date().toDateString();
  return html`
    <time class="chat-row-time" datetime=${new Date(time_s * 1000).toISOString()} title=${formatDate(time_s)}>
      ${isToday ? formatTime(time_s) : formatRelative(time_s)}
    </time>
  `;
}

function ChatRow({ chat, index, count, isTabStop, onFocus }) {
  const isOpen = route.value.view === "chats" && route.value.chatId === chat.chat_id;
  const otherId = otherMember(chat);
  // What comes into the chat that is being read is read at once: no number should flash up.
  const unread = chatBeingRead.value === chat.chat_id ? 0 : chat.unread_count;
  return html`
    <li class="chat-row-place" style=${{ transform: `translateY(${index * ROW_REM}rem)` }}
      aria-setsize=${count} aria-posinset=${index + 1}>
      <a class=${`row chat-row ${unread ? "chat-row-unread" : ""}`} href=${`#/chats/${chat.chat_id}`}
        data-chat-id=${chat.chat_id} tabindex=${isTabStop ? 0 : -1} aria-current=${isOpen ? "page" : undefined}
        onFocus=${onFocus} draggable=${false}>
        <${ChatAvatar} chat=${chat} size=${46} />
        <span class="row-words">
          <span class="chat-row-line">
            <span class="row-title">${chatTitle(chat)}</span>
            ${otherId !== null && isBot(otherId) && html`<${Tag}>${t("common.bot")}<//>`}
            ${chat.last_message && html`<${ChatTime} time_s=${chat.last_message.send_time} />`}
          </span>
          <span class="chat-row-line">
            <span class="row-text"><${ChatPreview} chat=${chat} isOpen=${isOpen} /></span>
            <${Badge} count=${unread} label=${t("chats.unread", { count: unread })} />
          </span>
        </span>
      </a>
    </li>
  `;
}

/** Which rows are in sight: {from, to}, to is exclusive. */
function useRowsInSight(scroller, count) {
  const [rows, setRows] = useState({ from: 0, to: FIRST_ROWS });
  useLayoutEffect(() => {
    const element = scroller.current;
    const update = () => {
      const from = Math.max(0, Math.floor(element.scrollTop / rowPx()) - EXTRA_ROWS);
      const to = Math.ceil((element.scrollTop + element.clientHeight) / rowPx()) + EXTRA_ROWS;
      setRows((known) => (known.from === from && known.to === to ? known : { from, to }));
    };
    update();
    const observer = new ResizeObserver(update);
    observer.observe(element);
    element.addEventListener("scroll", update, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", update);
    };
  }, [count]);
  return rows;
}

/** Draw again when a day begins: "14:05" is yesterday's then. */
function useMidnight() {
  const [day, setDay] = useState(0);
  useEffect(() => {
    const timer = setTimeout(() => setDay(day + 1), new Date().setHours(24, 0, 1, 0) - Date.now());
    return () => clearTimeout(timer);
  }, [day]);
}

function Rows({ chats, scroller, list }) {
  const rows = useRowsInSight(scroller, chats.length);
  const [activeId, setActiveId] = useState(null);
  const toFocus = useRef(null);
  useMidnight();
  const found = chats.findIndex((chat) => chat.chat_id === activeId);
  const opened = chats.findIndex((chat) => chat.chat_id === route.value.chatId);
  const active = found >= 0 ? found : Math.max(0, opened);

  useLayoutEffect(() => {
    if (toFocus.current !== null) {
      list.current?.querySelector(`[data-chat-id="${toFocus.current}"]`)?.focus({ preventScroll: true });
      toFocus.current = null;
    }
  });

  const goTo = (index) => {
    const chat = chats[Math.max(0, Math.min(index, chats.length - 1))];
    const top = chats.indexOf(chat) * rowPx();
    const element = scroller.current;
    element.scrollTop = Math.max(Math.min(element.scrollTop, top), top + rowPx() - element.clientHeight);
    toFocus.current = chat.chat_id;
    setActiveId(chat.chat_id);
    list.current.querySelector(`[data-chat-id="${chat.chat_id}"]`)?.focus({ preventScroll: true });
  };
  const onKeyDown = (event) => {
    const page = Math.max(1, Math.floor(scroller.current.clientHeight / rowPx()) - 1);
    const targets = {
      ArrowDown: active + 1,
      ArrowUp: active - 1,
      PageDown: active + page,
      PageUp: active - page,
      Home: 0,
      End: chats.length - 1,
    };
    const to = targets[event.key];
    if (to !== undefined && !event.altKey && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      goTo(to);
    }
  };
  const shown = chats
    .map((chat, index) => ({ chat, index }))
    .filter(({ index }) => (index >= rows.from && index < rows.to) || index === active);
  return html`
    <ul ref=${list} class="chat-rows" aria-label=${t("chats.title")} onKeyDown=${onKeyDown}
      style=${{ height: `${chats.length * ROW_REM}rem` }}>
      ${shown.map(
        ({ chat, index }) => html`<${ChatRow} key=${chat.chat_id} chat=${chat} index=${index} count=${chats.length}
          isTabStop=${index === active} onFocus=${() => setActiveId(chat.chat_id)} />`,
      )}
    </ul>
  `;
}

function NoChats() {
  return html`
    <${EmptyState} icon="chat" title=${t("chats.empty_title")} text=${t("chats.empty_text")}>
      <${Button} variant="primary" icon="user-plus" onClick=${openFindPeople}>${t("chats.find_people")}<//>
      ${welcomeActions.value.map(({ id, component: Component }) => html`<${Component} key=${id} />`)}
    <//>
  `;
}

function NothingFound({ text }) {
  return html`
    <${EmptyState} icon="search" title=${t("chats.nothing_found", { text })}>
      <${Button} icon="user-plus" onClick=${openFindPeople}>${t("chats.find_people")}<//>
    <//>
  `;
}

/** The list pane of the view "chats". */
export function ChatList() {
  const [text, setText] = useState("");
  const scroller = useRef(null);
  const list = useRef(null);
  const searchField = useRef(null);
  const group = t("shortcuts.chat_list");
  useShortcut("ctrl+shift+f", () => searchField.current.focus(), t("shortcuts.search_chats"), group);
  useShortcut("arrowup+arrowdown", null, t("shortcuts.walk_list"), group);
  useShortcut("enter", null, t("shortcuts.open_chat"), group);

  const chats = filterChats(chatList.value, text);
  const onKeyDown = (event) => {
    const first = list.current?.querySelector("a[tabindex='0']");
    if (event.key === "ArrowDown" && first) {
      event.preventDefault();
      first.focus();
    } else if (event.key === "Enter" && text && chats.length) {
      location.hash = `#/chats/${chats[0].chat_id}`;
      setText("");
    }
  };
  const actions = html`
    <${IconButton} icon="user-plus" label=${t("chats.find_people")} onClick=${openFindPeople} />
    <${IconButton} icon="chat-plus" label=${t("chats.new_group")} onClick=${openNewGroup} />
  `;
  const search = html`<${SearchField} label=${t("chats.search")} value=${text} inputRef=${searchField}
    onKeyDown=${onKeyDown} onInput=${(value) => {
      setText(value);
      scroller.current.scrollTop = 0;
    }} />`;
  const content = () => {
    if (chats.length) {
      return html`<${Rows} chats=${chats} scroller=${scroller} list=${list} />`;
    }
    if (!isLoaded.value) {
      return html`<${Skeleton} rows=${7} />`;
    }
    return text ? html`<${NothingFound} text=${text} />` : html`<${NoChats} />`;
  };
  return html`
    <${Pane} title=${t("chats.title")} headingLevel="h1" actions=${actions} below=${search} scrollRef=${scroller}
      class="chat-list">
      ${content()}
    <//>
  `;
}
