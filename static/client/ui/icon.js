import { html } from "../html.js";
import { ICONS } from "./icons.js";

/**
 * A drawing beside or in place of words. It is hidden from screen readers: whoever shows it names it.
 *
 * @param {{name: keyof typeof ICONS, size?: number, class?: string}} props `size` in CSS px
 */
export function Icon({ name, size = 20, class: className = "" }) {
  return html`
    <svg class=${`icon ${className}`} width=${size} height=${size} viewBox="0 0 24 24" aria-hidden="true">
      ${(ICONS[name] ?? ICONS.help).map((path) => html`<path d=${path} />`)}
    </svg>
  `;
}
