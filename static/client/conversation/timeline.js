/** From messages to what stands in the list: days, and in them rows that know their neighbours. No DOM in here. */

import { isBot, SYSTEM_USER_NAME, DELETED_USER_NAME } from "../store/state.js";
import { RECALLED_TEXT } from "../store/chat_changes.js";

/** Messages of one author belong together as long as no more lies between two. */
const GROUP_PAUSE_S = 5 * 60;

/** Whether the server itself speaks. */
export const isSystem = (message) => message.sender.user_name === SYSTEM_USER_NAME;

/** Whether its sender has taken a message back. */
export const isRecalled = (message) =>
  message.deleted && message.sender.user_name === DELETED_USER_NAME && message.message === RECALLED_TEXT;

/** Whether this user has deleted a message for himself. */
export const isHidden = (message) => message.deleted && !isRecalled(message);

/**
 * What a message is known by in the list, before and after it has arrived.
 * @param {object} message
 * @returns {string}
 */
export const keyOf = (message) => message.client_message_id ?? String(message.message_id);

/**
 * A message that is on its way, in the shape of those that have arrived.
 * @param {object} sending of pending(): the outbox's
 * @param {object} sender User.Basic
 * @param {object[]} messages where what it answers may be found
 */
function asMessage(sending, sender, messages) {
  return {
    message_id: null,
    client_message_id: sending.client_message_id,
    chat_id: sending.chat_id,
    message: sending.content,
    send_time: sending.created_at_ms / 1000,
    sender,
    reply_to_id: sending.reply_to ?? null,
    reply_to: messages.find((message) => message.message_id === sending.reply_to) ?? null,
    deleted: false,
    read_users: [],
    files: [],
    sending,
  };
}

/**
 * Who has read an own message: "sent" (nobody yet), "some" or "all".
 * @param {object} message
 * @param {number[]} otherIds of the members that are expected to read
 */
function readState(message, otherIds) {
  const readers = new Set(message.read_users.map(({ id }) => id));
  const count = otherIds.filter((id) => readers.has(id)).length;
  return count === 0 ? "sent" : count < otherIds.length ? "some" : "all";
}

/** The other members of a chat; bots count only among themselves, since they answer without having to read. */
function readersExpected(chat, myId) {
  const others = chat.member_ids.filter((id) => id !== myId);
  const people = others.filter((id) => !isBot(id));
  return people.length ? people : others;
}

const SHOWN_FIELDS = ["message_id", "message", "edited_at", "deleted", "sender", "reply_to_id", "sending"];
const QUOTED_FIELDS = ["message", "deleted", "sender"];

const isSameQuote = (one, other) =>
  one === other || Boolean(one && other && QUOTED_FIELDS.every((field) => one[field] === other[field]));

/** Whether two objects of one message look the same. Who has read it is told by the row's `state`. */
const isSameMessage = (one, other) =>
  one === other || (SHOWN_FIELDS.every((field) => one[field] === other[field]) &&
    one.files?.length === other.files?.length && isSameQuote(one.reply_to, other.reply_to));

const ROW_FIELDS = ["kind", "state", "isFirst", "isLast", "isUnreadBefore", "isPrivate"];

const isSameRow = (one, other) =>
  ROW_FIELDS.every((field) => one[field] === other[field]) && isSameMessage(one.message, other.message);

function dayOf(time_s) {
  const date = new Date(time_s * 1000);
  return date.getFullYear() * 10_000 + date.getMonth() * 100 + date.getDate();
}

const kindOf = (message) => (isRecalled(message) ? "recalled" : isSystem(message) ? "system" : "message");

/**
 * The rows of a chat by days.
 * @param {object} content
 * @param {object} content.chat
 * @param {object} content.me User.Basic
 * @param {object[]} content.messages ascending
 * @param {object[]} content.sendings of pending()
 * @param {number|null} content.separatorId the first unread message
 * @param {Map<string, object>} [known] the rows of the last time, by key: those that are the same are used again, so
 *   that what is drawn of them can stay
 * @returns {{days: {key: number, time_s: number, rows: object[]}[], rows: Map<string, object>}} of each row: `key`,
 *   `kind` ("message", "system", "recalled"), `message`, `day`, `isOwn`, `isFirst` and `isLast` of its author's group,
 *   `state` of an own one ("pending", "held", "failed", "sent", "some", "all"), `isUnreadBefore` (the separator stands
 *   before it)
 */
export function timeline({ chat, me, messages, sendings, separatorId }, known = new Map()) {
  const expected = readersExpected(chat, me.id);
  const shown = messages.filter((message) => !isHidden(message));
  const arrived = new Set(shown.map(keyOf));
  const waiting = sendings.filter((sending) => !arrived.has(sending.client_message_id));
  const all = [...shown, ...waiting.map((sending) => asMessage(sending, me, messages))];

  const rows = all.map((message) => {
    const isOwn = message.sender.id === me.id;
    const key = keyOf(message);
    const before = known.get(key);
    return {
      key,
      kind: kindOf(message),
      message,
      day: before?.message.send_time === message.send_time ? before.day : dayOf(message.send_time),
      isOwn,
      isPrivate: chat.is_private,
      state: isOwn ? stateOf(message, expected) : null,
      isUnreadBefore: false,
      isFirst: true,
      isLast: true,
    };
  });

  // The first unread one itself may be hidden.
  const unread = separatorId === null ? null : rows.find((row) => row.message.message_id >= separatorId);
  if (unread) unread.isUnreadBefore = true;
  for (let index = 1; index < rows.length; index += 1) {
    const isTogether = belongTogether(rows[index - 1], rows[index]);
    rows[index - 1].isLast = rows[index].isFirst = !isTogether;
  }

  const days = [];
  const byKey = new Map();
  for (const made of rows) {
    const before = known.get(made.key);
    const row = before && isSameRow(before, made) ? before : made;
    byKey.set(row.key, row);
    if (days.at(-1)?.key !== row.day) days.push({ key: row.day, time_s: row.message.send_time, rows: [] });
    days.at(-1).rows.push(row);
  }
  return { days, rows: byKey };
}

function stateOf(message, expected) {
  if (!message.sending) return readState(message, expected);
  if (message.sending.status !== "failed") return "pending";
  return message.sending.is_held ? "held" : "failed";
}

const belongTogether = (one, next) =>
  one.kind === "message" && next.kind === "message" && one.message.sender.id === next.message.sender.id &&
  one.day === next.day && !next.isUnreadBefore && next.message.send_time - one.message.send_time < GROUP_PAUSE_S;
