import { html } from "../html.js";
import { Icon } from "./icon.js";

const SHOWN_MAX = 99;

/**
 * A number in a pill; nothing if it is 0.
 *
 * @param {{count: number, label?: string, tone?: "accent"|"muted"}} props `label`: what is read out for the number
 */
export function Badge({ count, label, tone = "accent" }) {
  if (!count) {
    return null;
  }
  const text = count > SHOWN_MAX ? `${SHOWN_MAX}+` : String(count);
  return html`
    <span class=${`badge badge-${tone}`}>
      ${label ? html`<span aria-hidden="true">${text}</span><span class="visually-hidden">${label}</span>` : text}
    </span>
  `;
}

/**
 * A word that says what somebody is ("bot", "owner").
 *
 * @param {{tone?: "neutral"|"accent"|"danger"|"success"|"warning", children: any}} props
 */
export function Tag({ tone = "neutral", children }) {
  return html`<span class=${`tag tag-${tone}`}>${children}</span>`;
}

/**
 * A message within the page, with a drawing and a tint of its kind.
 *
 * @param {{kind?: "info"|"success"|"warning"|"error", icon?: string, children: any}} props an "error" is said at once
 */
export function Notice({ kind = "info", icon, children }) {
  const icons = { info: "info", success: "check", warning: "alert", error: "alert" };
  return html`
    <div class=${`notice notice-${kind}`} role=${kind === "error" ? "alert" : "status"}>
      <${Icon} name=${icon ?? icons[kind]} /><div>${children}</div>
    </div>
  `;
}
