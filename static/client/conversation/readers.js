/** Who has read a message. */

import { html, signal, useEffect, useRef } from "../html.js";
import { t } from "../i18n.js";
import { conversation } from "../store/conversations.js";
import { chats, displayName, isBot, me } from "../store/state.js";
import { openPersonCard } from "../later.js";
import { Avatar, Icon, Popover } from "../ui/index.js";

/** What is shown: {chatId, messageId, anchor}, or null. */
const shown = signal(null);

/**
 * Show who has read a message.
 * @param {object} message
 * @param {Element} anchor beside which it is shown
 */
export function openReaders(message, anchor) {
  shown.value = { chatId: message.chat_id, messageId: message.message_id, anchor };
}

function Person({ userId, chatId, isReader }) {
  const open = () => {
    shown.value = null;
    openPersonCard(userId, { chatId });
  };
  return html`
    <li>
      <button type="button" class=${`row reader ${isReader ? "" : "reader-not-yet"}`} onClick=${open}>
        <${Avatar} userId=${userId} size=${28} />
        <span class="row-words truncate">${displayName(userId)}</span>
        ${isReader && html`<${Icon} name="checks" size=${16} />`}
      </button>
    </li>
  `;
}

function People({ message }) {
  const ref = useRef(null);
  useEffect(() => ref.current.querySelector("button")?.focus(), []);
  const chatId = message.chat_id;
  const isOther = (id) => id !== message.sender.id && id !== me.value?.id;
  const readerIds = message.read_users.map(({ id }) => id).filter(isOther);
  const members = chats.value.get(chatId)?.member_ids ?? [];
  const notYetIds = members.filter((id) => isOther(id) && !readerIds.includes(id) && !isBot(id));
  const list = (ids, isReader) => html`
    <ul>${ids.map((id) => html`<${Person} key=${id} userId=${id} chatId=${chatId} isReader=${isReader} />`)}</ul>
  `;
  return html`
    <div ref=${ref}>
      <h3 class="section-title">
        ${readerIds.length ? t("message.read_by", { count: readerIds.length }) : t("message.read_by_nobody")}
      </h3>
      ${list(readerIds, true)}
      ${notYetIds.length > 0 && html`
        <h3 class="section-title">${t("message.not_read_by", { count: notYetIds.length })}</h3>
        ${list(notYetIds, false)}
      `}
    </div>
  `;
}

/** Where openReaders shows it; stands once in a conversation. */
export function Readers() {
  if (!shown.value) return null;
  const { chatId, messageId, anchor } = shown.value;
  const message = conversation(chatId).messages.value.find((other) => other.message_id === messageId);
  if (!message) return null;
  return html`
    <${Popover} anchor=${anchor} placement="top-end" class="readers" onClose=${() => (shown.value = null)} role="dialog"
      aria-label=${t("message.readers")}>
      <${People} message=${message} />
    <//>
  `;
}
