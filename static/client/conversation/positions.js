/** Where one was in each chat, as long as the page lives. */

const places = new Map(); // chat id → ScrollKeeper's place

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
