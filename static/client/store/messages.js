/** What is done with messages that are there. Sending is the outbox's. */

import { ask } from "./socket.js";

/** The server passes the sign on so often at most (Limits, `typing`). */
const TYPING_PAUSE_MS = 3_000;

const saidMs = new Map(); // chat id → when

/**
 * Replace the text of one's own message.
 * @param {number} id @param {string} content
 * @returns {Promise<void>} resolves when everybody has it
 * @throws {import("./requests.js").ApiError}
 */
export const editMessage = (id, content) => ask("edit_message", { message_id: id, content });

/** Recall one's own message for everybody. Promise as for editMessage. */
export const recallMessage = (id) => ask("recall_message", { message_id: id });

/** Delete a message for oneself. Promise as for editMessage. */
export const deleteForMe = (id) => ask("recall_message", { message_id: id, delete: true });

/** The user is writing in a chat. To be called at each stroke; nothing is said more often than it is passed on. */
export function noteTyping(chatId) {
  if (Date.now() - (saidMs.get(chatId) ?? 0) < TYPING_PAUSE_MS) return;
  saidMs.set(chatId, Date.now());
  ask("typing", { chat_id: chatId }).catch(() => {});
}
