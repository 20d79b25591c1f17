/** The message that another one answers, in a line or two. */

import { html } from "../html.js";
import { plainText, writtenText } from "../chat_preview.js";
import { systemText, t } from "../i18n.js";
import { navigate } from "../route.js";
import { displayName } from "../store/state.js";
import { Icon } from "../ui/index.js";
import { isHidden, isRecalled, isSystem } from "./timeline.js";

/** The icon and the words that a message without words is told by. */
function filesOf({ files = [] }) {
  if (!files.length) return null;
  const isPicture = files.every((file) => (file.content_type ?? "").startsWith("image/"));
  const icon = isPicture ? "image" : "attach";
  return { icon, text: files.length === 1 ? files[0].name : t("message.files", { count: files.length }) };
}

/**
 * What a message says, in one line.
 * @param {{message: object}} props ChatMessage.Basic
 */
export function MessageLine({ message }) {
  if (isRecalled(message)) return html`<em>${t("message.recalled")}</em>`;
  if (isHidden(message)) return html`<em>${t("message.hidden")}</em>`;
  if (isSystem(message)) return systemText(message);
  const files = filesOf(message);
  const text = plainText(writtenText(message));
  return html`${files && html`<${Icon} name=${files.icon} size=${14} />`}${text || files?.text}`;
}

/**
 * The quote in a bubble; it leads to the original.
 * @param {{message: object}} props the message that answers
 */
export function Quote({ message }) {
  const { reply_to: original, reply_to_id: id, chat_id: chatId } = message;
  if (!id) return null;
  const isGone = !original || isRecalled(original) || isHidden(original);
  return html`
    <button type="button" class="quote" tabindex="-1" disabled=${isGone} title=${t("message.go_to_original")}
      onClick=${() => navigate(`#/chats/${chatId}/messages/${id}`, { replace: true })}>
      ${!isGone && !isSystem(original) && html`
        <span class="quote-name truncate">${displayName(original.sender.id)}</span>
      `}
      <span class="quote-text truncate">
        ${original ? html`<${MessageLine} message=${original} />` : t("message.unknown")}
      </span>
    </button>
  `;
}
