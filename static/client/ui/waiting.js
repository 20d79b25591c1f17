import { html } from "../html.js";
import { t } from "../i18n.js";
import { Icon } from "./icon.js";

/**
 * A turning ring.
 *
 * @param {{size?: number, label?: string}} props `size` in CSS px; with a `label` it is announced, else decoration
 */
export function Spinner({ size = 20, label }) {
  return html`
    <span class="spinner" role=${label ? "status" : undefined} aria-hidden=${label ? undefined : "true"}>
      <svg width=${size} height=${size} viewBox="0 0 24 24" aria-hidden="true">
        <circle class="spinner-track" cx="12" cy="12" r="9" /><path d="M12 3a9 9 0 0 1 9 9" />
      </svg>
      ${label && html`<span class="visually-hidden">${label}</span>`}
    </span>
  `;
}

/**
 * Grey shapes where text will be.
 *
 * @param {object} props
 * @param {number} [props.lines] lines of text
 * @param {number} [props.rows] rows of a list instead, each an avatar and two lines
 */
export function Skeleton({ lines = 3, rows }) {
  const count = rows ?? lines;
  const shape = (index) =>
    rows
      ? html`<div class="skeleton-row" key=${index}>
          <i class="skeleton skeleton-avatar" />
          <div class="skeleton-lines"><i class="skeleton skeleton-line" /><i class="skeleton skeleton-line" /></div>
        </div>`
      : html`<i class="skeleton skeleton-line" key=${index} />`;
  return html`
    <div class="skeletons" role="status">
      <span class="visually-hidden">${t("common.loading")}</span>
      <div aria-hidden="true">${Array.from({ length: count }, (_, index) => shape(index))}</div>
    </div>
  `;
}

/**
 * What stands where nothing is yet: what that means, and what one can do.
 *
 * @param {{icon: string, title: string, text?: any, children?: any}} props `children`: buttons
 */
export function EmptyState({ icon, title, text, children }) {
  return html`
    <div class="empty-state">
      <span class="empty-state-icon"><${Icon} name=${icon} size=${28} /></span>
      <h2>${title}</h2>
      ${text && html`<p>${text}</p>`}
      ${children && html`<div class="empty-state-actions">${children}</div>`}
    </div>
  `;
}
