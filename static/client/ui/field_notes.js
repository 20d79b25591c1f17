import { html } from "../html.js";
import { Icon } from "./icon.js";

/**
 * The words below a control: what is wrong, else the hint.
 *
 * @param {{id: string, hint?: string, error?: string|null, warning?: string|null}} props `id` of the control
 */
export function FieldNotes({ id, hint, error, warning }) {
  return html`
    ${hint && !error && html`<p class="field-hint" id=${`${id}-hint`}>${hint}</p>`}
    ${warning && html`<p class="field-warning" role="status">${warning}</p>`}
    ${error &&
    html`<p class="field-error" role="alert" id=${`${id}-error`}><${Icon} name="alert" size=${16} />${error}</p>`}
  `;
}

/**
 * What a control with such words says in aria-describedby.
 *
 * @param {string} id of the control
 */
export const describedBy = (id, hint, error) =>
  error ? `${id}-error` : hint ? `${id}-hint` : undefined;
