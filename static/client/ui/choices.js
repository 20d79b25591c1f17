import { html, useId } from "../html.js";
import { describedBy, FieldNotes } from "./field_notes.js";
import { Icon } from "./icon.js";

/**
 * A labelled choice out of a list.
 *
 * @param {object} props
 * @param {string} props.label
 * @param {string|number} props.value
 * @param {{value: string|number, label: string}[]} props.options
 * @param {(value: string) => void} props.onChange
 * @param {string} [props.error]
 * @param {string} [props.hint]
 * @param {boolean} [props.hideLabel]
 */
export function Select({ label, value, options, onChange, error, hint, icon, hideLabel, ...rest }) {
  const id = useId();
  return html`
    <div class="field">
      <label class=${hideLabel ? "visually-hidden" : "field-label"} for=${id}>${label}</label>
      <div class=${`field-box field-select ${error ? "field-box-invalid" : ""}`}>
        ${icon && html`<${Icon} name=${icon} size=${18} />`}
        <select ...${rest} id=${id} class="field-input" value=${value} aria-invalid=${error ? "true" : undefined}
          aria-describedby=${describedBy(id, hint, error)} onChange=${(event) => onChange(event.currentTarget.value)}>
          ${options.map(
            (option) => html`<option key=${option.value} value=${option.value} selected=${option.value === value}>
              ${option.label}</option>`,
          )}
        </select>
        <${Icon} name="chevron-down" size=${16} />
      </div>
      <${FieldNotes} id=${id} hint=${hint} error=${error} />
    </div>
  `;
}

/**
 * Something that is on or off, at once.
 *
 * @param {object} props
 * @param {string} props.label
 * @param {string} [props.hint]
 * @param {boolean} props.checked
 * @param {(checked: boolean) => void} props.onChange
 */
export function Switch({ label, hint, checked, onChange, ...rest }) {
  const id = useId();
  return html`
    <label class="switch">
      <span class="switch-words">
        <span>${label}</span>${hint && html`<span class="field-hint" id=${`${id}-hint`}>${hint}</span>`}
      </span>
      <input ...${rest} type="checkbox" role="switch" checked=${checked}
        aria-describedby=${hint ? `${id}-hint` : undefined}
        onChange=${(event) => onChange(event.currentTarget.checked)} />
      <span class="switch-track" aria-hidden="true"></span>
    </label>
  `;
}

/**
 * Something that is ticked or not.
 *
 * @param {{label: any, checked: boolean, onChange: (checked: boolean) => void, hideLabel?: boolean}} props
 */
export function Checkbox({ label, checked, onChange, hideLabel, ...rest }) {
  return html`
    <label class="checkbox">
      <input ...${rest} type="checkbox" checked=${checked}
        onChange=${(event) => onChange(event.currentTarget.checked)} />
      <span class="checkbox-box" aria-hidden="true"><${Icon} name="check" size=${14} /></span>
      <span class=${hideLabel ? "visually-hidden" : ""}>${label}</span>
    </label>
  `;
}

/**
 * One out of two to five, all of them in sight.
 *
 * @param {object} props
 * @param {string} props.label
 * @param {string} props.value
 * @param {{value: string, label: string, icon?: string}[]} props.options
 * @param {(value: string) => void} props.onChange
 * @param {boolean} [props.hideLabel]
 * @param {boolean} [props.iconsOnly] the options' labels are only read out and shown as tooltips
 */
export function Choice({ label, value, options, onChange, hideLabel, iconsOnly }) {
  const name = useId();
  return html`
    <fieldset class="choice">
      <legend class=${hideLabel ? "visually-hidden" : "field-label"}>${label}</legend>
      <div class="choice-options">
        ${options.map(
          (option) => html`
            <label key=${option.value} class="choice-option" title=${iconsOnly ? option.label : undefined}>
              <input class="visually-hidden" type="radio" name=${name} value=${option.value}
                checked=${option.value === value} onChange=${() => onChange(option.value)} />
              ${option.icon && html`<${Icon} name=${option.icon} size=${18} />`}
              <span class=${iconsOnly ? "visually-hidden" : ""}>${option.label}</span>
            </label>
          `,
        )}
      </div>
    </fieldset>
  `;
}
