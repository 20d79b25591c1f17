/** What another user is to this one, and the way to the private chat of the two. */

import { computed, effect, signal } from "../html.js";
import {
  chats, DELETED_USER_NAME, friendInvitations, friends, isBot, isFriend, me, online, otherMember, SYSTEM_USER_NAME,
  user,
} from "../store/state.js";
import { navigate } from "../route.js";

/** A new private chat is told of by packets, which come right behind the answer; later than this they are lost. */
const CHAT_COMES_MS = 5000;

/** Whom this user has invited since the page was opened: the server does not tell of invitations that one has sent. */
const invited = signal(new Set());

const myId = computed(() => me.value?.id);

effect(() => {
  if (myId.value !== undefined) {
    invited.value = new Set();
  }
});

// An invitation is over when it was accepted; should the friendship end, they can be invited again.
effect(() => {
  const open = [...invited.value].filter((id) => !friends.value.has(id));
  if (open.length < invited.value.size) {
    invited.value = new Set(open);
  }
});

/** Remember that somebody was invited. */
export function noteInvited(userId) {
  invited.value = new Set(invited.value).add(userId);
}

/**
 * What a user is to the signed-in one.
 *
 * @param {number} userId
 * @returns {"me"|"friend"|"asks"|"invited"|"stranger"|"nobody"} asks: wants to be a friend; nobody: a user of the
 *   server, or an account that is gone
 */
export function relation(userId) {
  const { user_name: name } = user(userId);
  if (name === DELETED_USER_NAME || name === SYSTEM_USER_NAME) return "nobody";
  if (userId === myId.value) return "me";
  if (isFriend(userId)) return "friend";
  if (invitationOf(userId)) return "asks";
  return invited.value.has(userId) ? "invited" : "stranger";
}

/**
 * The invitation by which a user asks for this one's friendship.
 *
 * @param {number} userId
 * @returns {object|null} FriendInvitation
 */
export const invitationOf = (userId) => friendInvitations.value.find(({ sender }) => sender.id === userId) ?? null;

/**
 * Whether a user is online, as far as the server tells: only of those who share a chat with this one.
 *
 * @param {number} userId
 * @returns {"online"|"offline"|null} null: unknown, or a bot that answers without being online
 */
export function presence(userId) {
  if (online.value.has(userId)) return "online";
  if (userId === myId.value || isBot(userId) || relation(userId) === "nobody") return null;
  const isKnown = isFriend(userId) || commonGroups(userId).length > 0;
  return isKnown ? "offline" : null;
}

/** The groups that a user is in together with this one, as a list of the store's chats. */
export const commonGroups = (userId) =>
  [...chats.value.values()].filter((chat) => !chat.is_private && chat.member_ids.includes(userId));

const privateChatId = (userId) =>
  [...chats.value.values()].find((chat) => otherMember(chat) === userId)?.chat_id ?? null;

/**
 * Go to the private chat with a friend. With a new friend it may come a moment after the friendship.
 *
 * @param {number} userId
 * @returns {Promise<void>} resolves when it is open, or when there is none
 */
export function openPrivateChat(userId) {
  return new Promise((resolve) => {
    const end = (chatId) => {
      clearTimeout(timer);
      stop();
      if (chatId !== null) {
        navigate(`#/chats/${chatId}`);
      }
      resolve();
    };
    const timer = setTimeout(() => end(null), CHAT_COMES_MS);
    const stop = effect(() => {
      const chatId = privateChatId(userId);
      if (chatId !== null) {
        queueMicrotask(() => end(chatId)); // it cannot be stopped before it has run once
      }
    });
  });
}
