/** What a search has found. */

import {
  Avatar, Button, EmptyState, formatDate, formatDay, formatRelative, html, Icon, LongList, moveAmongRows, Notice,
  Spinner, state, systemText, t, useEffect, useMemo, useRef, useState,
} from "nova";
import { isHit, searchableText, wordsOf } from "./search.js";

/** So many messages are looked at before the user is asked whether to go on; each click allows as many more. */
const LOOKED_AT_STEP = 10_000;
/** It goes on when the end of the list comes so near, in px. */
const AHEAD_PX = "400px";
/** Of a long text, the part around the first hit. */
const BEFORE_HIT_CHARACTERS = 50;
const SNIPPET_MAX_CHARACTERS = 300;

const patternOf = (words) =>
  new RegExp(`(${words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})`, "giu");

function snippetOf(text, pattern) {
  const line = text.replace(/\s+/g, " ").trim();
  const at = pattern ? Math.max(0, line.search(pattern)) : 0;
  const begin = at > BEFORE_HIT_CHARACTERS ? at - BEFORE_HIT_CHARACTERS : 0;
  const end = begin + SNIPPET_MAX_CHARACTERS;
  return `${begin ? "…" : ""}${line.slice(begin, end)}${end < line.length ? "…" : ""}`;
}

/** A text with the hits marked: what a pattern with one group splits has them at odd places. */
const marked = (text, pattern) => pattern
  ? text.split(pattern).map((part, index) => (index % 2 ? html`<mark key=${index}>${part}</mark>` : part))
  : text;

function Result({ message, pattern }) {
  const { chat_id: chatId, message_id: id, sender, send_time: time, files = [] } = message;
  const isMine = sender.id === state.me.value?.id;
  const text = sender.user_name === state.SYSTEM_USER_NAME ? systemText(message) : searchableText(message);
  return html`
    <li>
      <a class="row filters-result" data-row href=${`#/chats/${chatId}/messages/${id}`}>
        <${Avatar} userId=${sender.id} size=${36} />
        <span class="row-words">
          <span class="filters-result-head">
            <span class="row-title">${isMine ? t("filters.me") : state.displayName(sender.id)}</span>
            <time class="muted small" title=${formatDate(time)}>${formatRelative(time)}</time>
          </span>
          <span class="filters-snippet">
            ${files.length > 0 && html`<${Icon} name="attach" size=${14} />`}
            ${marked(snippetOf(text, pattern), pattern)}
          </span>
        </span>
      </a>
    </li>
  `;
}

/** Goes on with the search while its end is in sight. */
function useMore(search, limit) {
  const end = useRef(null);
  const status = search?.status.value;
  const count = search?.messages.value.length;
  useEffect(() => {
    if (status !== "paused" || count >= limit) return undefined;
    const observer = new IntersectionObserver(([entry]) => entry.isIntersecting && search.more(),
      { root: end.current.closest("[data-scroller], .pane-content"), rootMargin: `0px 0px ${AHEAD_PX}` });
    observer.observe(end.current);
    return () => observer.disconnect();
  }, [search, status, count, limit]);
  return end;
}

function State({ search, hitCount, text, limit, onGoOn, onReset }) {
  const status = search.status.value;
  const day = formatDay(search.lookedBackTo_s.value);
  if (status === "failed") {
    return html`
      <div class="filters-note">
        <${Notice} kind="error">${search.error.value.message}<//>
        <${Button} icon="refresh" onClick=${search.more}>${t("filters.retry")}<//>
      </div>
    `;
  }
  if (status === "done") {
    if (hitCount) return html`<p class="filters-note muted small">${t("filters.all_found")}</p>`;
    return html`
      <${EmptyState} icon="search" title=${t("filters.nothing_found")}
        text=${t(text ? "filters.nothing_found_text" : "filters.nothing_found_then")}>
        <${Button} onClick=${onReset}>${t("filters.reset")}<//>
      <//>
    `;
  }
  if (status === "paused" && search.messages.value.length >= limit) {
    return html`
      <div class="filters-note">
        <p class="muted small">${t("filters.looked_back_to", { day })}</p>
        <${Button} onClick=${onGoOn}>${t("filters.go_on")}<//>
      </div>
    `;
  }
  return html`
    <p class="filters-note filters-busy muted small">
      <${Spinner} size=${16} />${t("filters.looked_back_to", { day })}
    </p>
  `;
}

/**
 * The messages that were found, and how far the search is.
 * @param {object} props
 * @param {object} props.chat
 * @param {import("./search.js").Search|null} props.search null: nothing is wanted yet
 * @param {string} props.text words that must be in the messages
 * @param {() => void} props.onReset forget all conditions
 */
export function Results({ chat, search, text, onReset }) {
  const [limit, setLimit] = useState(LOOKED_AT_STEP);
  useEffect(() => setLimit(LOOKED_AT_STEP), [search]);
  const end = useMore(search, limit);
  const messages = search?.messages.value;
  const words = useMemo(() => wordsOf(text), [text]);
  const pattern = useMemo(() => (words.length ? patternOf(words) : null), [words]);
  const hits = useMemo(() => (messages ?? []).filter((message) => isHit(message, words)), [messages, words]);
  if (!search) {
    const who = state.chatTitle(chat);
    return html`<${EmptyState} icon="search" title=${t("filters.search_title")}
      text=${t("filters.search_text", { chat: who })} />`;
  }
  const isDone = search.status.value === "done";
  const count = t(isDone ? "filters.found" : "filters.found_so_far", { count: hits.length });
  return html`
    <p class=${hits.length ? "section-title" : "visually-hidden"} role="status">${count}</p>
    <${LongList} items=${hits} class="filters-results" onKeyDown=${moveAmongRows}
      row=${(message) => html`<${Result} key=${message.message_id} message=${message} pattern=${pattern} />`} />
    <div ref=${end}></div>
    <${State} search=${search} hitCount=${hits.length} text=${text} limit=${limit} onReset=${onReset}
      onGoOn=${() => setLimit(messages.length + LOOKED_AT_STEP)} />
  `;
}
