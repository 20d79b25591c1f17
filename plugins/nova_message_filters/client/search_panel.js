/** The panel "Search" of a chat. */

import { Field, html, parts, SearchField, Select, signal, state, t, useEffect, useRef } from "nova";
import { createSearch } from "./search.js";
import { Results } from "./search_results.js";
import { SenderChoice } from "./sender_choice.js";
import { dateText, rangeOptions, timesOf } from "./time_range.js";

const NOTHING_WANTED = { text: "", range: "any", from: "", to: "", senderIds: [] };

/** What was searched last in each chat: the panel may close meanwhile. {wanted, search}, both signals. */
const kept = new Map();

function keptOf(chatId) {
  if (!kept.has(chatId)) kept.set(chatId, { wanted: signal(NOTHING_WANTED), search: signal(null) });
  return kept.get(chatId);
}

parts.onSignedIn(() => kept.clear());

const isAnything = ({ text, range, from, to, senderIds }) =>
  text.trim() !== "" || senderIds.length > 0 || (range === "days" ? from !== "" || to !== "" : range !== "any");

/** The words are looked for in what is found; all other conditions are the server's, so they begin a new search. */
function want({ wanted, search }, chat, change) {
  wanted.value = { ...wanted.peek(), ...change };
  const { begin_s, end_s, error } = timesOf(wanted.peek());
  const isRunning = search.peek() !== null;
  const isWanted = isAnything(wanted.peek()) && error === null;
  if (isRunning && isWanted && Object.keys(change).every((key) => key === "text")) return;
  search.peek()?.stop();
  // Who has left the chat cannot be searched for any more.
  const members = state.chats.peek().get(chat.chat_id)?.member_ids ?? [];
  const senderIds = wanted.peek().senderIds.filter((id) => members.includes(id));
  search.value = isWanted ? createSearch(chat, { begin_s, end_s, senderIds }) : null;
}

function Days({ wanted, onChange, error }) {
  const field = (key) => html`
    <${Field} label=${t(`filters.${key}_day`)} type="date" value=${wanted[key]} max=${dateText(new Date())}
      error=${key === "to" ? error : null} onInput=${(day) => onChange({ [key]: day })} />
  `;
  return html`<div class="filters-days">${field("from")}${field("to")}</div>`;
}

/**
 * Finds messages of a chat by words, time and senders.
 * @param {{chat: object}} props
 */
export function SearchPanel({ chat }) {
  const session = keptOf(chat.chat_id);
  const wanted = session.wanted.value;
  const input = useRef(null);
  const change = (values) => want(session, chat, values);
  useEffect(() => input.current?.focus({ preventScroll: true }), [chat.chat_id]);
  const { error } = timesOf(wanted);
  return html`
    <div class="filters-panel">
      <div class="filters-search-form">
        <${SearchField} label=${t("filters.search_words")} value=${wanted.text} inputRef=${input}
          onInput=${(text) => change({ text })} />
        <div class="filters-conditions">
          <${Select} label=${t("filters.range")} hideLabel=${true} icon="calendar" value=${wanted.range}
            options=${rangeOptions()} onChange=${(range) => change({ range })} />
          <${SenderChoice} chat=${chat} chosen=${wanted.senderIds} onChange=${(senderIds) => change({ senderIds })} />
        </div>
        ${wanted.range === "days" && html`<${Days} wanted=${wanted} onChange=${change} error=${error} />`}
      </div>
      <${Results} chat=${chat} search=${session.search.value} text=${wanted.text}
        onReset=${() => change(NOTHING_WANTED)} />
    </div>
  `;
}
