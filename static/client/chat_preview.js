/** What a row of the chat list says below its title. */

import { html } from "./html.js";
import { systemText, t } from "./i18n.js";
import { pending } from "./store/outbox.js";
import { draft } from "./store/drafts.js";
import { displayName, me, SYSTEM_USER_NAME, typing } from "./store/state.js";
import { Icon } from "./ui/index.js";

/** More never fits into one line. */
const PREVIEW_MAX_CHARACTERS = 200;

/**
 * A message's text in one line, without the signs of Markdown that are set around words.
 *
 * @param {string} text
 * @returns {string}
 */
export function plainText(text) {
  return text
    .slice(0, 4 * PREVIEW_MAX_CHARACTERS)
    .replace(/^```\w*$/gm, "")
    .replace(/!?\[([^\]]*)\]\([^)\s]*\)/g, "$1")
    .replace(/^\s{0,3}(?:#{1,6}|>|[-*+])\s+/gm, "")
    .replace(/(\*\*|__|~~|`)(?=\S)(.+?)\1/g, "$2")
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, PREVIEW_MAX_CHARACTERS);
}

/**
 * The text that was written with files: for clients that know no files the server adds their addresses below it.
 *
 * @param {{message: string, files?: {url: string}[]}} message
 */
export function writtenText({ message, files = [] }) {
  const without = (text, { url }) => (text.endsWith(url) ? text.slice(0, -url.length).trimEnd() : text);
  return files.reduceRight(without, message);
}

function fileWords(files) {
  if (files.length > 1) {
    return { icon: "attach", text: t("chats.files", { count: files.length }) };
  }
  const isPicture = (files[0].content_type ?? files[0].type ?? "").startsWith("image/");
  return isPicture ? { icon: "image", text: t("chats.photo") } : { icon: "attach", text: files[0].name };
}

function Said({ by, text, files = [], icon }) {
  const attached = files.length ? fileWords(files) : null;
  const words = text || attached?.text;
  const shownIcon = icon ?? attached?.icon;
  return html`
    ${by && html`<span class="chat-row-sender">${by}: </span>`}
    ${shownIcon && html`<${Icon} name=${shownIcon} size=${14} />`}${words}
  `;
}

function typingText(chat, userIds) {
  if (chat.is_private) {
    return t("chats.typing");
  }
  const name = displayName(userIds[0]);
  return userIds.length === 1 ? t("chats.typing_one", { name }) : t("chats.typing_many", { count: userIds.length });
}

/**
 * Who is typing; else one's own unsent words; else what is being sent; else the newest message.
 *
 * @param {{chat: object, isOpen: boolean}} props `isOpen`: its draft is in sight already
 */
export function ChatPreview({ chat, isOpen }) {
  const typingIds = typing.value.get(chat.chat_id) ?? [];
  if (typingIds.length) {
    return html`<span class="chat-row-typing">${typingText(chat, typingIds)}</span>`;
  }
  const unsent = isOpen ? "" : draft(chat.chat_id).trim();
  if (unsent) {
    return html`<span class="chat-row-draft">${t("chats.draft")}: </span>${plainText(unsent)}`;
  }
  const sending = pending(chat.chat_id).at(-1);
  if (sending) {
    const hasFailed = sending.status === "failed";
    return html`<span class=${hasFailed ? "chat-row-failed" : ""}>
      <${Said} by=${t("chats.you")} text=${plainText(sending.content)} files=${sending.files ?? []}
        icon=${hasFailed ? "alert" : "clock"} />
    </span>`;
  }
  const message = chat.last_message;
  if (!message) {
    return t("chats.no_messages");
  }
  if (message.sender.user_name === SYSTEM_USER_NAME) {
    return systemText(message);
  }
  const isMine = message.sender.id === me.value?.id;
  const by = isMine ? t("chats.you") : chat.is_private ? null : displayName(message.sender.id);
  return html`<${Said} by=${by} text=${plainText(writtenText(message))} files=${message.files} />`;
}
