/**
 * What packets do to messages that are loaded. Pure functions on lists of ChatMessage.Detailed, ascending by id. As for
 * chats, packets may be applied a second time, up to the last one.
 */

import { RECALLED_TEXT, basicOf } from "./chat_changes.js";
import { DELETED_USER, DELETED_USER_NAME } from "./state.js";

/**
 * Whether a message was recalled by its sender, for everybody. A `deleted` one that was not is deleted for oneself.
 * @param {object} message ChatMessage.Basic or Detailed
 */
export const isRecalled = (message) =>
  message.deleted && message.sender.user_name === DELETED_USER_NAME && message.message === RECALLED_TEXT;

/** The place of a message in a list, or, if it is not there, -1. */
export function indexOf(messages, id) {
  let low = 0;
  let high = messages.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (messages[middle].message_id < id) low = middle + 1;
    else high = middle;
  }
  return messages[low]?.message_id === id ? low : -1;
}

function replaced(list, index, value) {
  const changed = [...list];
  changed[index] = value;
  return changed;
}

/**
 * Two lists as one: ascending, each message once; `newer` tells of those that are in both.
 * @param {object[]} older @param {object[]} newer
 */
export function merge(older, newer) {
  const all = new Map(older.map((message) => [message.message_id, message]));
  for (const message of keepSame(older, newer)) all.set(message.message_id, message);
  return [...all.values()].sort((one, other) => one.message_id - other.message_id);
}

/**
 * A list that was read again: messages that are as they were are the same objects, so that nothing is drawn anew, and
 * all know still under which `client_message_id` this page has sent them.
 * @param {object[]} known @param {object[]} read
 * @returns {object[]} what was read
 */
export function keepSame(known, read) {
  const before = new Map(known.map((message) => [message.message_id, message]));
  return read.map((message) => {
    const old = before.get(message.message_id);
    if (!old) return message;
    const { client_message_id } = old;
    const now = client_message_id ? { ...message, client_message_id } : message;
    return JSON.stringify(old) === JSON.stringify(now) ? old : now;
  });
}

/**
 * Loaded messages after a packet of their chat.
 * @param {object[]} messages
 * @param {object} packet
 * @param {{isAtEnd: boolean, userOf: (id: number) => object}} how whether the list reaches to the chat's end, so that a
 *   new message belongs to it; and User.Basic of an id
 * @returns {object[]} the same list if nothing changed
 */
export function changeMessages(messages, packet, how) {
  const changed = after(messages, packet, how);
  const isSame = changed.length === messages.length && changed.every((message, index) => message === messages[index]);
  return isSame ? messages : changed;
}

function after(messages, { action, data }, { isAtEnd, userOf }) {
  switch (action) {
    case "new_message":
      return withMessage(messages, data, isAtEnd);
    case "message_edited": {
      const { message_id, message, edited_at } = data.message;
      return changeEverywhere(messages, message_id, (known) =>
        isRecalled(known) || known.edited_at > edited_at ? known : { ...known, message, edited_at });
    }
    case "message_deleted":
      return changeEverywhere(messages, data.message_id, (known) => ({ ...known, deleted: true }));
    case "message_recalled":
      return withoutText(messages, data.message_id);
    case "messages_read":
      return withReader(messages, data.user_id, userOf);
    case "member_deleted":
      return messages.map((message) => withoutReader(message, data.user_id));
    default:
      return messages;
  }
}

function withMessage(messages, { message, client_message_id }, isAtEnd) {
  const index = indexOf(messages, message.message_id);
  let changed = messages;
  if (index >= 0) {
    // It was loaded before its packet came. All that has happened to it is told of behind the packet, so only what
    // would not be taken back there is set to the beginning: who has read it.
    const known = { ...messages[index], read_users: message.read_users };
    changed = replaced(messages, index, client_message_id ? { ...known, client_message_id } : known);
  } else if (isAtEnd && message.message_id > (messages.at(-1)?.message_id ?? 0)) {
    const answered = messages[indexOf(messages, message.reply_to_id)];
    const reply_to = answered ? basicOf(answered) : message.reply_to;
    changed = [...messages, { ...message, reply_to, ...(client_message_id ? { client_message_id } : {}) }];
  }
  const answered = indexOf(changed, message.reply_to_id);
  if (answered < 0 || (index >= 0 && changed[index].reply_to_id === null)) return changed; // null: recalled since
  const replies = changed[answered].replied_by;
  if (replies.some((reply) => reply.message_id === message.message_id)) return changed;
  const replied_by = merge(replies, [basicOf(message)]);
  return replaced(changed, answered, { ...changed[answered], replied_by });
}

/** Change a message wherever it stands: in the list, as what is answered, and as an answer. */
function changeEverywhere(messages, id, change) {
  return messages.map((message) => {
    let changed = message.message_id === id ? change(message) : message;
    if (message.reply_to?.message_id === id) changed = { ...changed, reply_to: change(message.reply_to) };
    if (message.replied_by.some((reply) => reply.message_id === id)) {
      const replied_by = message.replied_by.map((reply) => (reply.message_id === id ? change(reply) : reply));
      changed = { ...changed, replied_by };
    }
    return changed;
  });
}

function withoutText(messages, id) {
  const recall = ({ edited_at, files, ...known }) => {
    const recalled = { ...known, message: RECALLED_TEXT, sender: DELETED_USER, deleted: true, reply_to_id: null };
    return "reply_to" in known ? { ...recalled, reply_to: null } : recalled;
  };
  return changeEverywhere(messages, id, recall).map((message) =>
    message.replied_by.some((reply) => reply.message_id === id)
      ? { ...message, replied_by: message.replied_by.filter((reply) => reply.message_id !== id) }
      : message);
}

function withReader(messages, userId, userOf) {
  // All are looked at: one that the packets have not come to yet may name a reader whom those before it lack.
  return messages.map((message) => {
    if (message.read_users.some(({ id }) => id === userId)) return message;
    const read_users = [...message.read_users, userOf(userId)].sort((one, other) => one.id - other.id);
    return { ...message, read_users };
  });
}

function withoutReader(message, userId) {
  if (!message.read_users.some(({ id }) => id === userId)) return message;
  return { ...message, read_users: message.read_users.filter(({ id }) => id !== userId) };
}

/**
 * Loaded messages after an account is gone: #DELETED stands in for the sender.
 * @param {object[]} messages @param {number} userId
 */
export function withoutUser(messages, userId) {
  const anonymous = (message) => (message?.sender.id === userId ? { ...message, sender: DELETED_USER } : message);
  return messages.map((message) => ({
    ...withoutReader(anonymous(message), userId),
    reply_to: anonymous(message.reply_to),
    replied_by: message.replied_by.map(anonymous),
  }));
}
