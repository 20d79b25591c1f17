/** What the server tells, and what it changes. */

import { batch } from "@preact/signals";
import { changeChat, chatIdOf } from "./chat_changes.js";
import { loadChat, putChat, rememberUsersOf, whenFoundGone } from "./chat_loading.js";
import { changeConversations, changeSenders, dropConversation } from "./conversations.js";
import { noteForRecordings } from "./recording.js";
import { later, request } from "./requests.js";
import { ask } from "./socket.js";
import {
  chats, forgetUser, friendGroups, friendInvitations, friends, me, online, rememberUser, rememberUsersOfMessage, typing,
  whenUnknownUser,
} from "./state.js";

/** The sign that somebody writes goes after so long without a new one. */
const TYPING_SHOWN_MS = 6_000;
/** Who is online is asked for again so long after a change of who shares chats. */
const PRESENCE_PAUSE_MS = 300;
/** The deletion of an account takes the server a moment after its first packets. */
const ACCOUNT_DELETION_MS = 1_500;

let ownChange = Promise.resolve(); // of the account

/**
 * Let the store know that the account is being changed from here. The answer may bring another cookie (a new password
 * does), and the packet that tells of the change comes before it: who asks meanwhile has the old one, and is refused.
 * @param {Promise<object>} answer
 */
export function noteOwnChange(answer) {
  ownChange = answer.catch(() => {});
}

const listeners = new Map(); // action → Set of functions
let onChatGone = () => {};

/**
 * Listen to what the server tells, after the store has taken it in.
 * @param {string} action such as "chat_invitation"
 * @param {(data: object, packet: object, how: {isKeptAside: boolean}) => void} listener `isKeptAside`: the packet came
 *   while the client was catching up
 * @returns {() => void} to stop
 */
export function onPacket(action, listener) {
  if (!listeners.has(action)) listeners.set(action, new Set());
  listeners.get(action).add(listener);
  return () => listeners.get(action).delete(listener);
}

/**
 * Let the page know that a chat is gone, to leave it.
 * @param {(chat: object, why: "member_deleted"|"chat_deleted"|"friend_deleted"|"unknown") => void} listener
 */
export function whenChatGone(listener) {
  onChatGone = listener;
}

const CHANGES = {
  new_message({ message }) {
    stopTyping(message.chat_id, message.sender.id);
    if (!chats.peek().has(message.chat_id)) loadChat(message.chat_id);
  },
  new_group_chat({ chat_id }) {
    if (!chats.peek().has(chat_id)) loadChat(chat_id);
    askPresence();
  },
  member_added: () => askPresence(),
  member_deleted({ chat_id, user_id }) {
    stopTyping(chat_id, user_id);
    if (user_id !== me.peek().id) checkAccount(user_id);
    askPresence();
  },
  friend_created({ friend: user }) {
    const known = friends.peek().get(user.id);
    const group_id = known?.group_id ?? friendGroups.peek()[0]?.group_id;
    friends.value = new Map(friends.peek()).set(user.id, { nickname: known?.nickname ?? "", group_id, user });
    askPresence();
  },
  friend_deleted({ friend: { id } }) {
    const left = new Map(friends.peek());
    left.delete(id);
    friends.value = left;
    checkAccount(id);
    askPresence();
  },
  profile_change() {
    const { id } = me.peek();
    ownChange.then(() => request("GET", "/user")).then((user) => {
      if (me.peek()?.id === id) setMe(user);
    }, () => {}); // the next one, or coming back, tells of it
  },
  presence(data) {
    if (Array.isArray(data.online)) {
      online.value = new Set(data.online);
    } else if (online.peek().has(data.user_id) !== data.online) {
      const changed = new Set(online.peek());
      changed[data.online ? "add" : "delete"](data.user_id);
      online.value = changed;
    }
  },
  typing: ({ chat_id, user_id }, isKeptAside) => isKeptAside || startTyping(chat_id, user_id),
  friend_invitations({ invitations }) {
    friendInvitations.value = invitations;
  },
  friend_invitation({ invitation }) {
    const others = friendInvitations.peek().filter(({ id }) => id !== invitation.id);
    friendInvitations.value = [...others, invitation].sort((one, other) => one.id - other.id);
  },
  friend_invitation_gone({ invitation_id }) {
    friendInvitations.value = friendInvitations.peek().filter(({ id }) => id !== invitation_id);
  },
  // Not from the server, which tells nobody of these: from another tab, or this one's own request (see tabs.js).
  friend_changed({ friend: { friend: user, nickname, group } }) {
    friends.value = new Map(friends.peek()).set(user.id, { user, nickname, group_id: group.group_id });
  },
  friend_group_changed({ group }) {
    const groups = friendGroups.peek();
    const isKnown = groups.some(({ group_id }) => group_id === group.group_id);
    friendGroups.value = isKnown
      ? groups.map((known) => (known.group_id === group.group_id ? group : known))
      : [...groups, group];
  },
  friend_group_deleted({ group_id }) {
    friendGroups.value = friendGroups.peek().filter((group) => group.group_id !== group_id);
    const first = friendGroups.peek()[0].group_id;
    friends.value = new Map([...friends.peek()].map(([id, friend]) =>
      [id, friend.group_id === group_id ? { ...friend, group_id: first } : friend]));
  },
};

/**
 * Take in what the server tells: the only way in which packets change what the client knows, whether they come live or
 * were kept aside while it was catching up. Applying a packet that is known already changes nothing that stays.
 * @param {object} packet
 * @param {{isKeptAside?: boolean}} how whether what is known may be newer than the packet
 */
export function applyPacket(packet, { isKeptAside = false } = {}) {
  if (!me.peek() || packet.action === "error") return;
  batch(() => {
    noteForRecordings(packet);
    rememberUsersIn(packet, isKeptAside);
    changeChats(packet);
    changeConversations(packet);
    CHANGES[packet.action]?.(packet.data, isKeptAside);
  });
  for (const listener of listeners.get(packet.action) ?? []) {
    try {
      listener(packet.data, packet, { isKeptAside });
    } catch (error) {
      console.warn(`Listening to ${packet.action} failed:`, error);
    }
  }
}

function rememberUsersIn({ data }, isOld) {
  if (data?.message) rememberUsersOfMessage(data.message, isOld);
  if (data?.friend) rememberUser(data.friend.friend ?? data.friend, isOld);
  if (data?.chat) rememberUsersOf(data.chat, isOld);
  const invitations = data?.invitations ?? (data?.invitation ? [data.invitation] : []);
  for (const { sender, receiver } of invitations) {
    if (sender) rememberUser(sender, isOld);
    if (receiver) rememberUser(receiver, isOld);
  }
}

function changeChats(packet) {
  // The end of a friendship is about a chat that the packet does not name.
  const ids = packet.action === "friend_deleted" ? [...chats.peek().keys()] : [chatIdOf(packet)];
  for (const id of ids) {
    const chat = chats.peek().get(id);
    if (!chat) continue;
    const changed = changeChat(chat, packet, me.peek().id);
    if (changed === null) removeChat(chat, packet.action);
    else if (changed !== chat) putChat(changed);
    if (changed?.last_message?.deleted) loadChat(id); // which message is the newest now?
  }
}

function removeChat(chat, why) {
  const left = new Map(chats.peek());
  left.delete(chat.chat_id);
  chats.value = left;
  dropConversation(chat.chat_id);
  onChatGone(chat, why);
}

whenFoundGone((chatId) => {
  const chat = chats.peek().get(chatId);
  if (chat) batch(() => removeChat(chat, "unknown"));
});

/** The signed-in user as the server has them now. */
export function setMe(user) {
  batch(() => {
    me.value = user;
    rememberUser(user);
  });
}

// Who is writing

const typingTimers = new Map(); // "chat user" → timer

function startTyping(chatId, userId) {
  const key = `${chatId} ${userId}`;
  clearTimeout(typingTimers.get(key));
  typingTimers.set(key, setTimeout(() => stopTyping(chatId, userId), TYPING_SHOWN_MS));
  const ids = typing.peek().get(chatId) ?? [];
  if (!ids.includes(userId)) typing.value = new Map(typing.peek()).set(chatId, [...ids, userId]);
}

function stopTyping(chatId, userId) {
  const key = `${chatId} ${userId}`;
  if (!typingTimers.has(key)) return;
  clearTimeout(typingTimers.get(key));
  typingTimers.delete(key);
  const ids = typing.peek().get(chatId).filter((id) => id !== userId);
  const changed = new Map(typing.peek());
  if (ids.length) changed.set(chatId, ids);
  else changed.delete(chatId);
  typing.value = changed;
}

/** Nobody is writing any more, as far as is known. */
export function forgetTyping() {
  typingTimers.forEach((timer) => clearTimeout(timer));
  typingTimers.clear();
  typing.value = new Map();
}

// What no packet tells

let presenceTimer = null;

function askPresence() {
  clearTimeout(presenceTimer);
  presenceTimer = setTimeout(() => ask("presence", null).catch(() => {}), PRESENCE_PAUSE_MS);
}

const askedUsers = new Set();

whenUnknownUser((id) => {
  if (askedUsers.has(id) || !me.peek()) return;
  askedUsers.add(id);
  request("GET", `/user/${id}`)
    .then((user) => rememberUser(user, true), (error) => error.status === 404 && removeUser(id))
    .finally(() => askedUsers.delete(id));
});

/** Somebody left a group or ended a friendship: perhaps, which no packet says, because the account was deleted. */
async function checkAccount(id) {
  await later(ACCOUNT_DELETION_MS);
  if (!me.peek()) return;
  await request("GET", `/user/${id}`).catch((error) => error.status === 404 && removeUser(id));
}

function removeUser(id) {
  batch(() => {
    forgetUser(id);
    changeSenders(id);
    for (const chat of chats.peek().values()) {
      if (chat.last_message?.sender.id === id) loadChat(chat.chat_id);
    }
  });
}
