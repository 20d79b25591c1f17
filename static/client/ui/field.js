import { html, useId, useState } from "../html.js";
import { t } from "../i18n.js";
import { Icon } from "./icon.js";
import { IconButton } from "./button.js";
import { describedBy, FieldNotes } from "./field_notes.js";

/**
 * A labelled text field. All other props go to the `<input>` (or `<textarea>`): maxLength, inputMode, required, …
 *
 * @param {object} props
 * @param {string} props.label
 * @param {string} props.value
 * @param {(value: string, event: InputEvent) => void} props.onInput
 * @param {string} [props.type] "password" gets a button that shows it, and says when Caps Lock is on
 * @param {string|null} [props.error] what is wrong, shown below and announced
 * @param {string} [props.hint] the rules, shown below
 * @param {string} [props.icon] inside, before the text
 * @param {boolean} [props.hideLabel] the label is only read out
 * @param {number} [props.rows] makes it a text area
 * @param {{current: HTMLElement}} [props.inputRef]
 */
export function Field({ label, value, onInput, type = "text", error, hint, icon, hideLabel, rows, inputRef, ...rest }) {
  const id = useId();
  const [isRevealed, setRevealed] = useState(false);
  const [isCapsLock, setCapsLock] = useState(false);
  const isPassword = type === "password";
  const watchCapsLock = (event) => setCapsLock(event.getModifierState?.("CapsLock") ?? false);
  const control = {
    ...rest,
    id,
    ref: inputRef,
    value,
    class: "field-input",
    onInput: (event) => onInput?.(event.currentTarget.value, event),
    "aria-invalid": error ? "true" : undefined,
    "aria-describedby": describedBy(id, hint, error),
  };
  if (isPassword) {
    control.onKeyDown = (event) => {
      watchCapsLock(event);
      rest.onKeyDown?.(event);
    };
    control.onKeyUp = watchCapsLock;
    control.onBlur = (event) => {
      setCapsLock(false);
      rest.onBlur?.(event);
    };
    control.autocapitalize = "off";
    control.spellcheck = false;
  }
  return html`
    <div class="field">
      <label class=${hideLabel ? "visually-hidden" : "field-label"} for=${id}>${label}</label>
      <div class=${`field-box ${error ? "field-box-invalid" : ""} ${rows ? "field-box-rows" : ""}`}>
        ${icon && html`<${Icon} name=${icon} size=${18} />`}
        ${rows
          ? html`<textarea ...${control} rows=${rows}></textarea>`
          : html`<input ...${control} type=${isPassword && isRevealed ? "text" : type} />`}
        ${isPassword &&
        html`<${IconButton} icon=${isRevealed ? "eye-off" : "eye"} aria-pressed=${isRevealed ? "true" : "false"}
          label=${t(isRevealed ? "common.hide_password" : "common.show_password")}
          onClick=${() => setRevealed(!isRevealed)} />`}
      </div>
      <${FieldNotes} id=${id} hint=${hint} error=${error} warning=${isCapsLock ? t("common.caps_lock") : null} />
    </div>
  `;
}

/**
 * A field to search with: clears by a button and by Escape (which then goes no further).
 *
 * @param {{label: string, value: string, onInput: (value: string) => void, inputRef?: object}} props
 *   `label` is also the placeholder; all others go to the `<input>`
 */
export function SearchField({ label, value, onInput, inputRef, ...rest }) {
  const clear = (event) => {
    onInput("");
    event.currentTarget.closest(".search-field").querySelector("input").focus();
  };
  const onKeyDown = (event) => {
    if (event.key === "Escape" && value) {
      event.preventDefault();
      event.stopPropagation();
      onInput("");
      return;
    }
    rest.onKeyDown?.(event);
  };
  return html`
    <div class="search-field" role="search" aria-label=${label}>
      <${Icon} name="search" size=${18} />
      <input type="search" autocomplete="off" spellcheck=${false} enterkeyhint="search" ...${rest} ref=${inputRef}
        aria-label=${label} placeholder=${label} value=${value} onKeyDown=${onKeyDown}
        onInput=${(event) => onInput(event.currentTarget.value)} />
      ${value && html`<${IconButton} icon="close" size=${16} label=${t("common.clear")} onClick=${clear} />`}
    </div>
  `;
}
