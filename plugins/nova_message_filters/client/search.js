/** A search in a chat's history: goes back in time, step by step. */

import { batch, onPacket, parts, request, signal, writtenText } from "nova";
import { TICK_S } from "./time_range.js";

/** The first step back, in seconds. The steps grow while they find little, and shrink when they find much. */
const FIRST_STEP_S = 3_600;
const SHORTEST_STEP_S = 60;
/** A step that would be longer goes back to the beginning of the history. */
const LONGEST_STEP_S = 2 * 365 * 86_400;
const STEP_FACTOR = 4;
const LITTLE_COUNT = 100;
const MUCH_COUNT = 1_000;
/** So many messages are wanted each time that more is asked for. */
const PAGE_MIN_COUNT = 50;

/**
 * @typedef {object} Search
 * @property {import("@preact/signals").ReadonlySignal<object[]>} messages found so far (ChatMessage.Detailed), newest
 *   first, without those that were deleted or recalled
 * @property {import("@preact/signals").ReadonlySignal<string>} status "searching", "paused" (there may be more), "done"
 *   or "failed"
 * @property {import("@preact/signals").ReadonlySignal<Error|null>} error why it failed
 * @property {import("@preact/signals").ReadonlySignal<number>} lookedBackTo_s
 * @property {() => Promise<void>} more go on, also after it has failed
 * @property {() => void} stop
 */

/** Searches whose results are kept, to follow what becomes of the messages. */
const running = new Set();

/**
 * Begin a search; nothing is asked for before `more`. The endpoint gives all that it finds in one answer, so it is
 * asked about one span of time after the other.
 * @param {object} chat
 * @param {{begin_s: number|null, end_s: number|null, senderIds: number[]}} conditions inclusive times; no ids: anybody
 * @returns {Search}
 */
export function createSearch(chat, { begin_s, end_s, senderIds }) {
  const newest_s = Math.ceil(chat.last_message?.send_time ?? 0) + 1;
  const first_s = begin_s ?? 0;
  let until_s = Math.min(end_s ?? newest_s, newest_s);
  let step_s = FIRST_STEP_S;
  let isStopped = false;
  const messages = signal([]);
  const status = signal("paused");
  const error = signal(null);
  const lookedBackTo_s = signal(until_s);

  async function lookBack() {
    const isLast = step_s > LONGEST_STEP_S || until_s - step_s <= first_s;
    const from_s = isLast ? first_s : Math.floor(until_s - step_s);
    const body = { begin_time: from_s, end_time: until_s, ...(senderIds.length ? { sender: senderIds } : {}) };
    const found = until_s < from_s ? [] : await request("POST", `/chat/${chat.chat_id}/filter`, body);
    if (isStopped) return;
    if (found.length < LITTLE_COUNT) step_s *= STEP_FACTOR;
    if (found.length > MUCH_COUNT) step_s = Math.max(SHORTEST_STEP_S, step_s / STEP_FACTOR);
    until_s = from_s - TICK_S;
    batch(() => {
      messages.value = [...messages.value, ...found.filter((message) => !message.deleted)];
      lookedBackTo_s.value = from_s;
      if (isLast) status.value = "done";
    });
  }

  async function more() {
    if (status.peek() === "searching" || status.peek() === "done" || isStopped) return;
    status.value = "searching";
    const wanted = messages.peek().length + PAGE_MIN_COUNT;
    try {
      while (status.peek() === "searching" && messages.peek().length < wanted && !isStopped) await lookBack();
      if (status.peek() === "searching") status.value = "paused";
    } catch (failure) {
      error.value = failure;
      status.value = "failed";
    }
  }

  const search = { messages, status, error, lookedBackTo_s, more, stop };
  function stop() {
    isStopped = true;
    running.delete(search);
  }
  running.add(search);
  return search;
}

function changeResults(change) {
  for (const { messages } of running) messages.value = change(messages.peek());
}

const withoutMessage = ({ message_id: gone }) =>
  changeResults((messages) => messages.filter(({ message_id: id }) => id !== gone));

/** What is edited or goes while it is shown as a result changes and goes there, too. Called once. */
export function followResults() {
  onPacket("message_recalled", withoutMessage);
  onPacket("message_deleted", withoutMessage);
  onPacket("message_edited", ({ message: { message_id: edited, message } }) =>
    changeResults((messages) => messages.map((known) =>
      known.message_id === edited ? { ...known, message } : known)));
  parts.onSignedIn(() => {
    for (const search of running) search.stop();
  });
}

/**
 * What of a message may be found: its text, and the names of its files.
 * @param {object} message
 */
export const searchableText = (message) =>
  [writtenText(message), ...(message.files ?? []).map(({ name }) => name)].filter(Boolean).join("\n");

/** The words of a query: all of them must be in a text, in any order, whatever their case. */
export const wordsOf = (query) => query.toLocaleLowerCase().split(/\s+/).filter(Boolean);

/** Whether all words are in the text of a message. */
export function isHit(message, words) {
  if (!words.length) return true;
  const text = searchableText(message).toLocaleLowerCase();
  return words.every((word) => text.includes(word));
}
