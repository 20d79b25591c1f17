/** What the client knows, as signals. Everybody reads them; only the store writes them. */

import { computed, signal } from "@preact/signals";
import { t } from "../i18n.js";

/** The names of the two users that belong to the server. */
export const SYSTEM_USER_NAME = "#SYSTEM";
export const DELETED_USER_NAME = "#DELETED";

/** Who stands as the sender of recalled messages and for accounts that are gone, as `GET /user/2` tells. */
export const DELETED_USER = { id: 2, user_name: DELETED_USER_NAME, avatar_url: "" };

/**
 * Who is signed in: status "loading", "signed_out", "signed_in" or "unreachable" (the server does not answer at the
 * start; it is tried again), and why somebody was signed out: null, "signed_out", "ended_elsewhere", "account_deleted".
 */
export const session = signal({ status: "loading", reason: null });

/** The signed-in user (User.Detailed) or null. */
export const me = signal(null);

/**
 * The connection: status "connecting", "online" (open and up to date), "waiting" (next try at `retryAtMs`, a Date.now()
 * time) or "offline" (the browser says so).
 */
export const connection = signal({ status: "connecting", retryAtMs: null });

/** Map of user id → {user: User.Detailed, nickname, group_id}, in the order of the friendships. */
export const friends = signal(new Map());

/** The user's friend groups [{group_id, group_name}], the default one, named "", first. */
export const friendGroups = signal([]);

/** The FriendInvitations that wait for this user's answer, the oldest first. */
export const friendInvitations = signal([]);

/**
 * Map of chat id → Chat {chat_id, chat_name, is_private, owner_id, admin_ids, member_ids, last_message
 * (ChatMessage.Basic or null), unread_count}. Chats are never changed, but replaced.
 */
export const chats = signal(new Map());

/** The ids of the users who are online, of those who share a chat with this one. */
export const online = signal(new Set());

/** Map of chat id → ids of the members who are writing. */
export const typing = signal(new Map());

/** Whether the lists above are there; until then there is nothing to show but that it is coming. */
export const isLoaded = signal(false);

/** The chat whose newest message is being looked at, or null. See noteReading. */
export const chatBeingRead = signal(null);

const lastActivity = (chat) => chat.last_message?.send_time ?? 0;

/** All chats, those with the newest messages first. */
export const chatList = computed(() => [...chats.value.values()].sort((one, other) =>
  lastActivity(other) - lastActivity(one) || other.chat_id - one.chat_id));

/** How many messages are unread in all chats, but for the one that is being read. */
export const unreadTotal = computed(() => {
  let total = 0;
  for (const chat of chats.value.values()) {
    if (chat.chat_id !== chatBeingRead.value) total += chat.unread_count;
  }
  return total;
});

// Users: a signal each, so that a new name redraws only where it stands.

const users = new Map();
let onUnknownUser = () => {};

/** Let the store know which users are asked for that nobody has told of. */
export function whenUnknownUser(listener) {
  onUnknownUser = listener;
}

function userSignal(id) {
  let known = users.get(id);
  if (!known) users.set(id, known = signal(id === DELETED_USER.id ? DELETED_USER : null));
  return known;
}

/**
 * A user as known at present; one who is not known yet is asked for.
 * @param {number} id
 * @returns {{id: number, user_name: string, avatar_url: string, is_bot?: boolean}} User.Basic
 */
export function user(id) {
  const known = userSignal(id).value;
  if (known) return known;
  onUnknownUser(id);
  return { id, user_name: "…", avatar_url: "" };
}

/** A user as a struct for the store's own use: what is known, without asking. */
export const knownUser = (id) => userSignal(id).peek() ?? { id, user_name: "…", avatar_url: "" };

/** The ids in a list of users that nobody has told of yet. */
export const unknownUserIds = (ids) => ids.filter((id) => !userSignal(id).peek());

/** Keep what a struct says about a user. `isOld`: it may be older than what is known. */
export function rememberUser(struct, isOld = false) {
  const kept = userSignal(struct.id);
  const known = kept.peek();
  if (known && (isOld || (known.user_name === struct.user_name && known.avatar_url === struct.avatar_url))) return;
  const { id, user_name, avatar_url, is_bot = false } = struct;
  kept.value = { id, user_name, avatar_url, ...(is_bot ? { is_bot } : {}) };
}

/** Keep what a ChatMessage.Detailed says about users. */
export function rememberUsersOfMessage({ sender, reply_to, replied_by, read_users }, isOld = false) {
  rememberUser(sender, isOld);
  if (reply_to) rememberUser(reply_to.sender, isOld);
  for (const reply of replied_by) rememberUser(reply.sender, isOld);
  for (const reader of read_users) rememberUser(reader, isOld);
}

/** A user's account is gone: from now on #DELETED stands for it. */
export function forgetUser(id) {
  userSignal(id).value = { id, user_name: DELETED_USER_NAME, avatar_url: "" };
}

/** Forget everybody: another user signs in. */
export const forgetUsers = () => users.clear();

/**
 * What to call a user: the nickname that this user gave, else the user name.
 * @param {number} id
 */
export function displayName(id) {
  const { user_name: name } = user(id);
  if (name === DELETED_USER_NAME) return t("common.deleted_account");
  if (name === SYSTEM_USER_NAME) return t("common.system_user");
  return friends.value.get(id)?.nickname || name;
}

/** The other member of a private chat: an id, or null in a group. */
export const otherMember = (chat) =>
  chat.is_private ? chat.member_ids.find((id) => id !== me.value?.id) ?? null : null;

/** What to call a chat: a group's name, or the other one's. */
export function chatTitle(chat) {
  const other = otherMember(chat);
  return other === null ? chat.chat_name : displayName(other);
}

/** What this user is in a group: "owner", "admin" or "member". In private chats all are members. */
export function myRole(chat) {
  const id = me.value?.id;
  if (chat.is_private) return "member";
  return chat.owner_id === id ? "owner" : chat.admin_ids.includes(id) ? "admin" : "member";
}

/** Whether a user is a friend of this one. */
export const isFriend = (id) => friends.value.has(id);

/** Whether a user is a bot. */
export const isBot = (id) => user(id).is_bot === true;
