import { html } from "../html.js";
import { Icon } from "./icon.js";
import { Spinner } from "./waiting.js";

/** A busy button does nothing, but is not `disabled`: browsers take the focus from such, and it would be lost. */
const BUSY = { type: "button", onClick: undefined, "aria-busy": "true", "aria-disabled": "true" };

/**
 * A button with words. All other props go to the `<button>`.
 *
 * @param {object} props
 * @param {"primary"|"secondary"|"ghost"|"danger"} [props.variant]
 * @param {string} [props.icon] before the words
 * @param {boolean} [props.busy] shows that it works on it, and cannot be pressed meanwhile
 * @param {"s"|"m"} [props.size] "s" is for rows of a list
 */
export function Button({ variant = "secondary", icon, busy, disabled, size = "m", class: className = "", ...props }) {
  const { children, buttonRef, ...rest } = props;
  return html`
    <button type="button" ...${rest} ref=${buttonRef} class=${`button button-${variant} button-${size} ${className}`}
      disabled=${disabled} ...${busy ? BUSY : {}}>
      ${busy ? html`<${Spinner} size=${18} />` : icon && html`<${Icon} name=${icon} size=${size === "s" ? 16 : 18} />`}
      ${children && html`<span>${children}</span>`}
    </button>
  `;
}

/**
 * A link that looks as a button.
 *
 * @param {{variant?: string, icon?: string, href: string}} props
 */
export function LinkButton({ variant = "secondary", icon, class: className = "", children, ...rest }) {
  return html`
    <a ...${rest} class=${`button button-${variant} button-m ${className}`}>
      ${icon && html`<${Icon} name=${icon} size=${18} />`}<span>${children}</span>
    </a>
  `;
}

/**
 * A button that is only a drawing. All other props go to the `<button>`.
 *
 * @param {object} props
 * @param {string} props.icon
 * @param {string} props.label its name: read out, and shown as a tooltip
 * @param {"ghost"|"primary"|"secondary"|"danger"} [props.variant]
 * @param {number} [props.size] of the drawing, in CSS px
 */
export function IconButton({ icon, label, variant = "ghost", size = 20, busy, class: className = "", ...props }) {
  const { buttonRef, disabled, children, ...rest } = props;
  return html`
    <button type="button" title=${label} ...${rest} ref=${buttonRef} aria-label=${label} disabled=${disabled}
      class=${`icon-button icon-button-${variant} ${className}`} ...${busy ? BUSY : {}}>
      ${busy ? html`<${Spinner} size=${size} />` : html`<${Icon} name=${icon} size=${size} />`}${children}
    </button>
  `;
}
