/** Chats that packets tell of and nobody knows yet, or whose newest message is gone: asked for, once at a time. */

import { changeChat, chatIdOf, chatOf } from "./chat_changes.js";
import { record } from "./recording.js";
import { ApiError, isPassing, request } from "./requests.js";
import { chats, me, rememberUser } from "./state.js";
import { reconnectLater } from "./socket.js";

const loading = new Map(); // chat id → Promise
let life = 0;
let onGone = () => {};

/** Let the store know which chat turned out to be gone. */
export function whenFoundGone(listener) {
  onGone = listener;
}

/** Remember the users of a Chat. */
export function rememberUsersOf({ chat_members, chat_admins, chat_owner, last_message }, isOld = false) {
  for (const user of [...chat_members, ...chat_admins, chat_owner]) rememberUser(user, isOld);
  if (last_message) rememberUser(last_message.sender, isOld);
}

/** Put a chat into the list, or in place of what the list has. */
export function putChat(chat) {
  chats.value = new Map(chats.peek()).set(chat.chat_id, chat);
}

/** The answers that are under way are of no use any more. */
export function dropLoads() {
  life += 1;
  loading.clear();
}

/**
 * Ask for a chat and put it into the list. Of several calls while it is under way one asks.
 * @param {number} chatId
 * @returns {Promise<void>} resolves when it is there, or turned out not to be
 */
export function loadChat(chatId) {
  let under_way = loading.get(chatId);
  if (!under_way) {
    under_way = load(chatId, life).finally(() => {
      if (loading.get(chatId) === under_way) loading.delete(chatId);
    });
    loading.set(chatId, under_way);
  }
  return under_way;
}

async function load(chatId, ofLife) {
  for (;;) {
    const recording = record();
    const seenId = chats.peek().get(chatId)?.newest_id ?? 0;
    let relation;
    try {
      relation = await request("GET", `/chat/${chatId}`);
    } catch (error) {
      if (ofLife !== life || !(error instanceof ApiError)) return;
      if (isPassing(error)) reconnectLater(); // coming back asks for everything
      else onGone(chatId);
      return;
    } finally {
      recording.stop();
    }
    if (ofLife !== life) return;
    rememberUsersOf(relation.chat);
    let chat = chatOf(relation, seenId);
    let isBack = false;
    for (const packet of recording.packets) {
      if (chat) chat = changeChat(chat, packet, me.peek().id);
      else if (packet.action === "new_group_chat" && chatIdOf(packet) === chatId) isBack = true;
    }
    if (!chat && !isBack) return; // left meanwhile
    if (chat && !chat.last_message?.deleted) {
      putChat(chat);
      return;
    }
  }
}
