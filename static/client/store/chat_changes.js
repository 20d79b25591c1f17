/**
 * What packets do to a chat of the list. Pure functions: a chat and a packet give a chat. Any number of packets may be
 * applied a second time, in their order and up to the last one: the result is the same.
 */

/** The ids of messages begin with that of their chat (Conventions, Ids). */
const MESSAGES_PER_CHAT = 100_000_000;

/** What a recalled message reads, from everybody's point of view. */
export const RECALLED_TEXT = "Message recalled";

/** The chat that a packet is about, or null. */
export const chatIdOf = ({ data }) =>
  data?.chat_id ?? data?.message?.chat_id ?? data?.chat?.chat_id ??
  (data?.message_id === undefined ? null : Math.floor(data.message_id / MESSAGES_PER_CHAT));

/** ChatMessage.Basic out of a message as it is kept. */
export function basicOf({ read_users, reply_to, replied_by, client_message_id, ...basic }) {
  return basic;
}

/**
 * Chat as the store keeps it. Besides the fields that everybody may use: `counted_id`, up to which message (of others)
 * unread_count counts, and `newest_id`, the newest message that is known to exist.
 * @param {{chat: object, unread_count: number}} relation UserChatRelation
 * @param {number} seenId the newest message that had come as a packet when the relation was asked for
 */
export function chatOf({ chat, unread_count }, seenId = 0) {
  const newestId = Math.max(seenId, chat.last_message?.message_id ?? 0);
  return {
    chat_id: chat.chat_id,
    chat_name: chat.chat_name,
    is_private: chat.chat_name === "",
    owner_id: chat.chat_owner.id,
    admin_ids: chat.chat_admins.map(({ id }) => id),
    member_ids: chat.chat_members.map(({ id }) => id),
    last_message: chat.last_message || null,
    unread_count,
    counted_id: newestId,
    newest_id: newestId,
  };
}

const withId = (ids, id) => (ids.includes(id) ? ids : [...ids, id].sort((one, other) => one - other));
const withoutId = (ids, id) => (ids.includes(id) ? ids.filter((other) => other !== id) : ids);

/**
 * A chat after a packet.
 * @param {object} chat Chat
 * @param {object} packet any; those about other chats change nothing
 * @param {number} myId the signed-in user
 * @returns {object|null} the same object if nothing changed; null if this user has the chat no more. A last_message
 *   with `deleted` is to be replaced by what the server says
 */
export function changeChat(chat, packet, myId) {
  const { action, data } = packet;
  if (action === "friend_deleted") {
    return chat.is_private && chat.member_ids.includes(data.friend.id) ? null : chat;
  }
  if (chatIdOf(packet) !== chat.chat_id) return chat;
  switch (action) {
    case "new_message":
      return withMessage(chat, data.message, myId);
    case "messages_read":
      // All that comes behind this packet is unread, even if a newer answer of the server had counted it already.
      return data.user_id === myId ? { ...chat, unread_count: 0, counted_id: 0 } : chat;
    case "message_edited": {
      const { message_id, message, edited_at } = data.message;
      const isLast = chat.last_message?.message_id === message_id && !chat.last_message.deleted;
      return isLast ? { ...chat, last_message: { ...chat.last_message, message, edited_at } } : chat;
    }
    case "message_recalled":
    case "message_deleted":
      return chat.last_message?.message_id === data.message_id
        ? { ...chat, last_message: { ...chat.last_message, message: RECALLED_TEXT, deleted: true } }
        : chat;
    case "member_added":
      return { ...chat, member_ids: withId(chat.member_ids, data.user_id) };
    case "member_deleted":
      if (data.user_id === myId) return null;
      return {
        ...chat,
        member_ids: withoutId(chat.member_ids, data.user_id),
        admin_ids: withoutId(chat.admin_ids, data.user_id),
      };
    case "admin_state_change":
      return { ...chat, admin_ids: (data.is_admin ? withId : withoutId)(chat.admin_ids, data.user_id) };
    case "owner_state_change":
      return { ...chat, owner_id: data.owner_id };
    case "chat_renamed":
      return { ...chat, chat_name: data.chat_name };
    case "chat_deleted":
      return null;
    default:
      return chat;
  }
}

function withMessage(chat, message, myId) {
  const id = message.message_id;
  const changed = { ...chat, newest_id: Math.max(chat.newest_id, id) };
  if (id > (chat.last_message?.message_id ?? 0) && !message.deleted) changed.last_message = basicOf(message);
  if (message.sender.id !== myId && id > chat.counted_id) {
    changed.unread_count += 1;
    changed.counted_id = id;
  }
  return changed;
}
