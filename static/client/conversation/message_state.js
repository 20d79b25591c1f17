/** What stands at the end of a bubble: the time, whether it was edited, and how far an own message has come. */

import { html } from "../html.js";
import { formatDate, formatTime, t } from "../i18n.js";
import { Icon } from "../ui/index.js";
import { openReaders } from "./readers.js";

const ICON_OF_STATE = {
  pending: "clock", held: "clock", failed: "alert", sent: "check", some: "checks", all: "checks",
};

/** How wide the line is, in widths of a digit: the last line of the text leaves so much free. */
export function metaWidth({ message, state }) {
  const words = message.edited_at ? `${t("message.edited")} ` : "";
  const wide = [...words].filter((sign) => sign > "\u2e80").length;
  return [...formatTime(message.send_time)].length + words.length + wide * 0.9 + (state ? 2.9 : 0) + 0.8;
}

function State({ message, state }) {
  const icon = html`<${Icon} name=${ICON_OF_STATE[state]} size=${15} />`;
  const label = t(`message.state_${state}`);
  const classes = `message-state state-${state}`;
  if (state !== "some" && state !== "all") {
    return html`<span class=${classes} title=${label}>${icon}<span class="visually-hidden">${label}</span></span>`;
  }
  return html`
    <button type="button" class=${classes} tabindex="-1" aria-label=${label} title=${label}
      onClick=${(event) => openReaders(message, event.currentTarget)}>${icon}</button>
  `;
}

/**
 * The line itself.
 * @param {{row: object}} props a row of the timeline
 */
export function MessageMeta({ row }) {
  const { message, state } = row;
  return html`
    <span class="message-meta">
      ${message.edited_at && html`
        <span title=${formatDate(message.edited_at)}>${t("message.edited")}</span>
      `}
      <time datetime=${new Date(message.send_time * 1000).toISOString()} title=${formatDate(message.send_time)}>
        ${formatTime(message.send_time)}
      </time>
      ${state && html`<${State} message=${message} state=${state} />`}
    </span>
  `;
}
