/** Who is writing at the moment. */

import { html } from "../html.js";
import { t } from "../i18n.js";
import { displayName, typing } from "../store/state.js";

/** Of more people only the number is told. */
const NAMED_MAX = 2;

/**
 * Who is writing in a chat, in words; "" if nobody is.
 * @param {object} chat
 */
export function typingWords(chat) {
  const ids = typing.value.get(chat.chat_id) ?? [];
  if (!ids.length) return "";
  if (chat.is_private) return t("chat.typing");
  if (ids.length > NAMED_MAX) return t("chat.typing_many", { count: ids.length });
  const [name, other] = ids.map(displayName);
  return other ? t("chat.typing_two", { name, other }) : t("chat.typing_one", { name });
}

/** Three dots that move. */
export const TypingDots = () => html`<span class="typing-dots" aria-hidden="true"><i /><i /><i /></span>`;

/**
 * The line below the messages. It lies over the list, so its coming and going moves nothing.
 * @param {{chat: object}} props
 */
export function TypingNotice({ chat }) {
  const ids = typing.value.get(chat.chat_id) ?? [];
  if (!ids.length) return null;
  const words = chat.is_private ? t("chat.typing_one", { name: displayName(ids[0]) }) : typingWords(chat);
  return html`<div class="typing-notice"><${TypingDots} /> <span class="truncate">${words}</span></div>`;
}
