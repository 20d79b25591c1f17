/** What was typed and not sent yet, per user and chat; it outlives the page. */

import { signal } from "@preact/signals";
import { readStored, writeStored } from "../preferences.js";
import { me } from "./state.js";

const changes = signal(0); // wakes those who show a draft

const keyOf = (chatId) => `draft.${me.peek()?.id}.${chatId}`;

/**
 * What was typed in a chat.
 * @param {number} chatId
 * @returns {string} "" if nothing
 */
export function draft(chatId) {
  changes.value;
  return readStored(keyOf(chatId)) ?? "";
}

/**
 * Keep what is being typed; "" forgets it.
 * @param {number} chatId @param {string} text
 */
export function setDraft(chatId, text) {
  if ((readStored(keyOf(chatId)) ?? "") === text) return;
  writeStored(keyOf(chatId), text || null);
  changes.value += 1;
}
