/** Where one was in each chat, as long as the page lives. */

import { computed, effect } from "../html.js";
import { me } from "../store/state.js";

const places = new Map(); // chat id → ScrollKeeper's place

const userId = computed(() => me.value?.id);
effect(() => {
  userId.value; // another user begins anew
  places.clear();
});

/** Remember the place in a chat; at the end there is nothing to remember. */
export function rememberPlace(chatId, place) {
  if (place.isAtEnd || !place.anchors.length) places.delete(chatId);
  else places.set(chatId, place);
}

/** The place that was left, if it was not the end; else null. */
export const rememberedPlace = (chatId) => places.get(chatId) ?? null;

/** The id of a message that was in sight there, or null. */
export const rememberedMessageId = (chatId) =>
  rememberedPlace(chatId)?.anchors.find(({ messageId }) => messageId)?.messageId ?? null;
