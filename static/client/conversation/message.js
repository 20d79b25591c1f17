/** A message in the list. */

import { html, useRef, useState } from "../html.js";
import { writtenText } from "../chat_preview.js";
import { formatTime, systemText, t } from "../i18n.js";
import { openPersonCard } from "../later.js";
import { messageRenderers } from "../registry.js";
import { discard, retry } from "../store/outbox.js";
import { displayName, isBot, user, DELETED_USER_NAME } from "../store/state.js";
import { Avatar, Button, IconButton, openMenu, Tag } from "../ui/index.js";
import { Attachments } from "./attachments.js";
import { actionsOf } from "./message_actions.js";
import { MessageMeta, metaWidth } from "./message_state.js";
import { MessageText } from "./message_text.js";
import { Quote } from "./quote.js";

const TINTS = 8;
/** What stands beside a bubble that is pointed at; all else is in the menu. */
const QUICK_ACTIONS = new Set(["reply", "edit", "copy"]);
const QUICK_MAX = 2;

/**
 * Open the menu of a message.
 * @param {object} row of the timeline
 * @param {HTMLElement} element of the message
 * @param {object} [options]
 * @param {Element|{x: number, y: number}} [options.at] where; at the bubble if left out
 * @param {() => void} [options.onClose]
 */
export function openActions(row, element, { at = element.querySelector(".bubble") ?? element, onClose } = {}) {
  const items = actionsOf(row).map((action) => ({ ...action, onSelect: () => action.run(element) }));
  openMenu({ items, at, label: t("message.actions"), placement: row.isOwn ? "bottom-end" : "bottom-start", onClose });
}

function Toolbar({ row, element, onHold }) {
  const quick = actionsOf(row).filter(({ id }) => QUICK_ACTIONS.has(id)).slice(0, QUICK_MAX);
  const openMore = (event) => {
    onHold(true); // the menu hangs on the button, and gives the focus back to it
    openActions(row, element.current, { at: event.currentTarget, onClose: () => onHold(false) });
  };
  return html`
    <div class="message-toolbar">
      ${quick.map((action) => html`
        <${IconButton} key=${action.id} icon=${action.icon} label=${action.label} size=${18}
          onClick=${() => action.run(element.current)} />
      `)}
      <${IconButton} icon="more" label=${t("message.more")} size=${18} aria-haspopup="menu" onClick=${openMore} />
    </div>
  `;
}

function Sender({ userId, chatId, isOwn, isShown }) {
  const isPerson = user(userId).user_name !== DELETED_USER_NAME;
  const name = isOwn ? t("message.you") : displayName(userId);
  if (!isShown) return html`<span class="visually-hidden">${name}: </span>`;
  return html`
    <button type="button" class=${`message-sender truncate sender-tint-${(userId % TINTS) + 1}`} tabindex="-1"
      disabled=${!isPerson} onClick=${() => openPersonCard(userId, { chatId })}>
      ${name} ${isBot(userId) && html`<${Tag}>${t("common.bot")}<//>`}
    </button>
  `;
}

function Text({ message }) {
  for (const render of messageRenderers.value) {
    const drawn = render(message);
    if (drawn) return drawn;
  }
  const text = writtenText(message);
  return text ? html`<${MessageText} text=${text} chatId=${message.chat_id} />` : null;
}

function Failure({ sending }) {
  if (sending?.status !== "failed") return null;
  const id = sending.client_message_id;
  return html`
    <div class=${`message-failure ${sending.is_held ? "message-held" : ""}`} role="alert">
      <span>${sending.error}</span>
      ${!sending.is_held && html`
        <${Button} size="s" icon="refresh" onClick=${() => retry(id)}>${t("message.retry")}<//>
      `}
      <${Button} size="s" variant="ghost" onClick=${() => discard(id)}>${t("message.discard")}<//>
    </div>
  `;
}

function Bubble({ row }) {
  const { message, isOwn, isFirst, isLast, isPrivate } = row;
  const senderId = message.sender.id;
  const element = useRef(null);
  const [isPointed, setPointed] = useState(false);
  const [isFocused, setFocused] = useState(false);
  const [isHeld, setHeld] = useState(false);
  const isMouse = (event) => event.pointerType === "mouse";
  const isInside = ({ currentTarget, relatedTarget }) => currentTarget.contains(relatedTarget);
  const classes = [
    "message", isOwn ? "message-own" : "message-other", isFirst && "message-first", isLast && "message-last",
    isPrivate && "message-private", row.state === "pending" && "message-pending",
  ];
  return html`
    <article ref=${element} class=${classes.filter(Boolean).join(" ")} data-key=${row.key}
      data-message-id=${message.message_id} tabindex="-1" aria-labelledby=${`m${row.key}`}
      onPointerEnter=${(event) => isMouse(event) && setPointed(true)} onPointerLeave=${() => setPointed(false)}
      onFocusIn=${({ target }) => setFocused(target.matches(":focus-visible"))}
      onFocusOut=${(event) => !isInside(event) && setFocused(false)}>
      ${!isOwn && html`
        <div class="message-avatar" aria-hidden="true">
          ${isLast && html`<${Avatar} userId=${senderId} size=${32} />`}
        </div>
      `}
      <div class="message-body">
        <div class="bubble" id=${`m${row.key}`} style=${{ "--meta": `${metaWidth(row)}ch` }}>
          <${Sender} userId=${senderId} chatId=${message.chat_id} isOwn=${isOwn}
            isShown=${!isOwn && isFirst && !isPrivate} />
          <${Quote} message=${message} />
          <${Attachments} message=${message} />
          <${Text} message=${message} />
          <${MessageMeta} row=${row} />
        </div>
        ${(isPointed || isFocused || isHeld) && html`<${Toolbar} row=${row} element=${element} onHold=${setHeld} />`}
        <${Failure} sending=${message.sending} />
      </div>
    </article>
  `;
}

function Line({ row }) {
  const { message, kind } = row;
  const text = kind === "recalled" ? t("message.recalled") : systemText(message);
  const time_s = message.send_time;
  return html`
    <article class=${`message message-${kind}`} data-key=${row.key} data-message-id=${message.message_id} tabindex="-1"
      aria-labelledby=${`m${row.key}`}>
      <p class="message-line" id=${`m${row.key}`}>
        ${text} <time datetime=${new Date(time_s * 1000).toISOString()}>${formatTime(time_s)}</time>
      </p>
    </article>
  `;
}

/**
 * A row of the list. It is drawn again only when its row is another object.
 * @param {{row: object}} props of the timeline
 */
export function Message({ row }) {
  const unread = row.isUnreadBefore && html`
    <div class="unread-mark" role="separator"><span>${t("message.new_messages")}</span></div>
  `;
  return html`${unread}${row.kind === "message" ? html`<${Bubble} row=${row} />` : html`<${Line} row=${row} />`}`;
}
