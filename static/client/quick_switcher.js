/** Ctrl+K: to any chat, and to what else one may want, by a few letters. */

import { html, useId, useMemo, useRef, useState } from "./html.js";
import { t } from "./i18n.js";
import { openNewGroup } from "./group/new_group.js";
import { attempt } from "./people/action.js";
import { openFindPeople } from "./people/find_people.js";
import { theme } from "./preferences.js";
import { settingsPages } from "./registry.js";
import { navigate, route } from "./route.js";
import { openShortcuts } from "./shortcuts.js";
import { signOut } from "./store/sign_in.js";
import { chatList, chatTitle, isBot, otherMember, user } from "./store/state.js";
import { Badge, ChatAvatar, Dialog, Icon, openDialog, Tag } from "./ui/index.js";

/** What is offered before anything is typed, and how much at most. */
const RECENT_CHATS = 6;
const MAX_RESULTS = 30;

/** The weights of a match: a letter right behind the last one, at the beginning of a word, at the beginning of all. */
const NEXT_SCORE = 3;
const WORD_SCORE = 4;
const FIRST_SCORE = 6;

/**
 * How well letters, in this order, are found in a text.
 *
 * @param {string} letters in lower case
 * @param {string} text
 * @returns {{score: number, places: Set<number>}|null} `places`: of the letters in the text; null: they are not there
 */
export function match(letters, text) {
  const signs = [...text.toLocaleLowerCase()];
  const whole = signs.join("").indexOf(letters);
  if (letters && whole >= 0) {
    const start = [...signs.join("").slice(0, whole)].length;
    const isAtWord = start === 0 || /[\s._@()-]/.test(signs[start - 1]);
    const places = new Set(Array.from([...letters], (_, index) => start + index));
    const place = (start === 0 ? FIRST_SCORE : 0) + (isAtWord ? WORD_SCORE : 0);
    return { score: places.size * NEXT_SCORE + FIRST_SCORE + place, places };
  }
  const places = new Set();
  let score = 0;
  let from = 0;
  for (const letter of letters.replace(/\s+/g, "")) {
    const at = signs.indexOf(letter, from);
    if (at < 0) {
      return null;
    }
    if (at === 0) {
      score += FIRST_SCORE;
    } else if (/[\s._@()-]/.test(signs[at - 1])) {
      score += WORD_SCORE;
    } else if (places.has(at - 1)) {
      score += NEXT_SCORE;
    } else {
      score += 1 / (1 + at - from);
    }
    places.add(at);
    from = at + 1;
  }
  return { score, places };
}

function actions() {
  const themes = { system: "monitor", light: "sun", dark: "moon" };
  return [
    { id: "new-group", label: t("chats.new_group"), icon: "users", run: openNewGroup },
    { id: "find-people", label: t("chats.find_people"), icon: "user-plus", run: openFindPeople },
    { id: "friends", label: t("friends.title"), icon: "friends", run: () => navigate("#/friends") },
    { id: "notifications", label: t("notifications.title"), icon: "bell", run: () => navigate("#/notifications") },
    { id: "settings", label: t("settings.title"), icon: "settings", run: () => navigate("#/settings") },
    { id: "profile", label: t("settings.profile"), icon: "user", run: () => navigate("#/settings/profile") },
    ...settingsPages.value.map(({ id, title, icon }) => ({
      id: `settings-${id}`, label: title(), icon, run: () => navigate(`#/settings/${id}`),
    })),
    ...Object.entries(themes)
      .filter(([name]) => name !== theme.value)
      .map(([name, icon]) => ({
        id: `theme-${name}`,
        label: t("shortcuts.theme", { theme: t(`settings.theme_${name}`) }),
        icon,
        run: () => (theme.value = name),
      })),
    { id: "shortcuts", label: t("shortcuts.title"), icon: "keyboard", run: openShortcuts },
    { id: "sign-out", label: t("settings.sign_out"), icon: "log-out", run: () => attempt(signOut) },
  ];
}

/** A chat is found by its title, and a friend by the user name too where a nickname is shown. */
function chatEntry(chat) {
  const otherId = otherMember(chat);
  const label = chatTitle(chat);
  const name = otherId === null ? label : user(otherId).user_name;
  return { id: `chat-${chat.chat_id}`, label, name, chat, run: () => navigate(`#/chats/${chat.chat_id}`) };
}

function find(text) {
  const letters = text.trim().toLocaleLowerCase();
  const chats = chatList.value.map(chatEntry);
  if (!letters) {
    return [...chats.filter(({ chat }) => chat.chat_id !== route.value.chatId).slice(0, RECENT_CHATS), ...actions()];
  }
  return [...chats, ...actions()]
    .map((entry) => {
      const byLabel = match(letters, entry.label);
      const byName = byLabel || entry.name === entry.label ? null : match(letters, entry.name ?? "");
      const found = byLabel ?? byName;
      return found && { ...entry, places: byLabel?.places, detail: byName && entry.name, score: found.score };
    })
    .filter(Boolean)
    .sort((one, other) => other.score - one.score)
    .slice(0, MAX_RESULTS);
}

function Marked({ text, places }) {
  return places?.size
    ? [...text].map((sign, index) => (places.has(index) ? html`<mark>${sign}</mark>` : sign))
    : text;
}

function Entry({ entry, id, isActive, onPoint, onChoose }) {
  const { chat } = entry;
  const isOfBot = chat?.is_private && isBot(otherMember(chat));
  return html`
    <div id=${id} role="option" class="row switcher-entry" aria-selected=${isActive ? "true" : "false"}
      onPointerMove=${onPoint} onClick=${onChoose}>
      ${chat
        ? html`<${ChatAvatar} chat=${chat} size=${32} />`
        : html`<span class="switcher-icon"><${Icon} name=${entry.icon} size=${18} /></span>`}
      <span class="row-words row-title">
        <${Marked} text=${entry.label} places=${entry.places} />
        ${entry.detail && html`<span class="switcher-detail">${entry.detail}</span>`}
      </span>
      ${isOfBot && html`<${Tag}>${t("common.bot")}<//>`}
      ${chat && html`<${Badge} count=${chat.unread_count} label=${t("chats.unread", { count: chat.unread_count })} />`}
    </div>
  `;
}

function QuickSwitcher({ close }) {
  const [text, setText] = useState("");
  const [active, setActive] = useState(0);
  const list = useRef(null);
  const id = useId();
  const chats = chatList.value;
  const entries = useMemo(() => find(text), [text, chats]);

  const choose = (entry) => {
    close();
    entry.run();
  };
  const move = (to) => {
    const next = (to + entries.length) % entries.length;
    setActive(next);
    list.current.querySelectorAll("[role=option]")[next]?.scrollIntoView({ block: "nearest" });
  };
  const onKeyDown = (event) => {
    const targets = { ArrowDown: active + 1, ArrowUp: active - 1 };
    if (event.isComposing || !entries.length) {
      return;
    }
    if (event.key in targets) {
      event.preventDefault();
      move(targets[event.key]);
    } else if (event.key === "Enter") {
      event.preventDefault();
      choose(entries[active]);
    }
  };
  const onInput = (event) => {
    setText(event.currentTarget.value);
    setActive(0);
  };
  return html`
    <${Dialog} title=${t("shortcuts.quick_switcher")} hideHeader isFlush onClose=${close} class="switcher">
      <div class="switcher-search">
        <${Icon} name="search" />
        <input type="text" role="combobox" aria-expanded="true" aria-autocomplete="list" aria-controls=${`${id}-list`}
          aria-activedescendant=${entries.length ? `${id}-${entries[active].id}` : undefined}
          aria-label=${t("shortcuts.quick_switcher")} placeholder=${t("shortcuts.switcher_hint")} autocomplete="off"
          spellcheck=${false} value=${text} onInput=${onInput} onKeyDown=${onKeyDown} />
        <kbd>Esc</kbd>
      </div>
      <div ref=${list} id=${`${id}-list`} class="switcher-list" role="listbox" aria-label=${t("shortcuts.results")}>
        ${entries.map(
          (entry, index) => html`<${Entry} key=${entry.id} entry=${entry} id=${`${id}-${entry.id}`}
            isActive=${index === active} onPoint=${() => setActive(index)} onChoose=${() => choose(entry)} />`,
        )}
      </div>
      ${!entries.length && html`<p class="switcher-nothing" role="status">${t("shortcuts.nothing_found")}</p>`}
    <//>
  `;
}

/** Open the quick switcher. */
export function openQuickSwitcher() {
  openDialog((close) => html`<${QuickSwitcher} close=${close} />`);
}
