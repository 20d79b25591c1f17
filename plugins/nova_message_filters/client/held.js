/** The messages that rules keep for approval, in the groups that the user manages. */

import { computed, managedLists, onPacket, request, state } from "nova";

/** How it is refused what another manager has answered meanwhile. */
const GONE = "Held message not found";

/** The server sends an approved message before it takes it off the list. */
const TAKEN_OFF_MS = 1_000;

const waiting = managedLists((chatId) => `/chat/${chatId}/held`);

/** Map of chat id → {items: HeldMessage[]|null (not there yet), error}, the oldest first. */
export const heldMessages = waiting.lists;

/** Ask for those of a group again: nobody is told what another manager declines. */
export const loadHeld = waiting.load;

/** All held messages, the oldest first. */
export const allHeld = computed(() => [...heldMessages.value.values()].flatMap(({ items }) => items ?? [])
  .sort((one, other) => one.held_at - other.held_at));

/** How many messages wait for the user. */
export const heldCount = computed(() => allHeld.value.length);

const drop = (chatId, heldId) =>
  waiting.change(chatId, (items) => items.filter((held) => held.held_id !== heldId));

/** Listen to what the server tells of held messages. Called once. */
export function followHeld() {
  onPacket("message_held", ({ held }) => {
    state.rememberUser(held.sender);
    waiting.change(held.chat_id, (items) => [...items.filter((other) => other.held_id !== held.held_id), held]);
  });
  // Another manager may have approved it; only its sender is told so.
  onPacket("new_message", ({ message }) => {
    const items = heldMessages.peek().get(message.chat_id)?.items ?? [];
    const isSame = (held) => held.sender.id === message.sender.id && held.message === message.message;
    if (items.some(isSame)) setTimeout(loadHeld, TAKEN_OFF_MS, message.chat_id);
  });
  onPacket("member_deleted", ({ chat_id: chatId, user_id: userId }) =>
    waiting.change(chatId, (items) => items.filter((held) => held.sender.id !== userId)));
}

/**
 * Approve or decline.
 * @param {object} held HeldMessage
 * @param {boolean} isApproved whether it is sent now
 * @returns {Promise<number|boolean>} the id of the message, or true: declined; false: it was answered already
 * @throws {ApiError}
 */
export async function answerHeld({ chat_id: chatId, held_id: heldId }, isApproved) {
  try {
    const answer = await request(isApproved ? "POST" : "DELETE", `/chat/${chatId}/held/${heldId}`);
    drop(chatId, heldId);
    return isApproved ? answer.message_id : true;
  } catch (error) {
    loadHeld(chatId);
    if (error.sentence === GONE) return false;
    throw error;
  }
}
