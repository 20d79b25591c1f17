import { Fragment, html, signal, useEffect, useId, useRef, useState } from "../html.js";
import { t } from "../i18n.js";
import { Button, IconButton } from "./button.js";
import { Field } from "./field.js";

/** Dialogs that functions have opened: {id, render, close}. */
const opened = signal([]);
let lastId = 0;

/** What one wants first: what is marked by data-autofocus, else a field, else the dialog itself (so it is read out). */
function firstFocus(dialog) {
  return (
    dialog.querySelector("[data-autofocus='true']") ??
    dialog.querySelector(".dialog-body :is(input, textarea, select):not([type=hidden], :disabled)") ??
    dialog
  );
}

/**
 * A modal dialog. It is open as long as it is rendered; the focus goes back where it was.
 *
 * @param {object} props
 * @param {string} props.title
 * @param {() => void} props.onClose by the cross, Escape, or a click beside it: take it off the page
 * @param {any} [props.footer] the buttons, the main one last
 * @param {() => void} [props.onSubmit] makes it a form: Enter and a `type="submit"` button call it
 * @param {"s"|"m"|"l"} [props.size] 400, 520 or 760 px wide at most
 * @param {boolean} [props.hideHeader] the title is only read out
 * @param {boolean} [props.isFlush] without room around the content
 */
export function Dialog({ title, onClose, footer, onSubmit, size = "m", hideHeader, isFlush, children, ...props }) {
  const ref = useRef(null);
  const titleId = useId();
  useEffect(() => {
    const before = document.activeElement;
    ref.current.showModal();
    firstFocus(ref.current).focus();
    return () => {
      if (before?.isConnected) {
        before.focus({ preventScroll: true });
      }
    };
  }, []);
  const onCancel = (event) => {
    event.preventDefault();
    onClose();
  };
  const pressed = useRef(null);
  const onClick = (event) => {
    // Only a click that also began on the backdrop: selecting text may end there.
    if (event.target === ref.current && pressed.current === ref.current) {
      onClose();
    }
  };
  const submit = (event) => {
    event.preventDefault();
    onSubmit();
  };
  const content = html`
    <header class=${hideHeader ? "visually-hidden" : "dialog-header"}>
      <h2 id=${titleId}>${title}</h2>
      ${!hideHeader && html`<${IconButton} icon="close" label=${t("common.close")} onClick=${onClose} />`}
    </header>
    <div class=${`dialog-body ${isFlush ? "dialog-body-flush" : ""}`}>${children}</div>
    ${footer && html`<footer class="dialog-footer">${footer}</footer>`}
  `;
  return html`
    <dialog ref=${ref} class=${`dialog dialog-${size} ${props.class ?? ""}`} aria-labelledby=${titleId} tabindex="-1"
      onCancel=${onCancel} onClick=${onClick} onPointerDown=${(event) => (pressed.current = event.target)}>
      ${onSubmit
        ? html`<form class="dialog-box" novalidate onSubmit=${submit}>${content}</form>`
        : html`<div class="dialog-box">${content}</div>`}
    </dialog>
  `;
}

/**
 * Open a dialog from a function.
 *
 * @template T
 * @param {(close: (result?: T) => void) => any} render gives a vnode, usually a Dialog whose onClose is `close`
 * @returns {Promise<T|undefined>} what `close` was called with
 */
export function openDialog(render) {
  return new Promise((resolve) => {
    const id = ++lastId;
    const close = (result) => {
      opened.value = opened.value.filter((dialog) => dialog.id !== id);
      resolve(result);
    };
    opened.value = [...opened.value, { id, render, close }];
  });
}

const Opened = ({ dialog }) => dialog.render(dialog.close);

/** Where dialogs of openDialog appear; stands once in the app. */
export function DialogHost() {
  return html`<${Fragment}>${opened.value.map((dialog) => html`<${Opened} key=${dialog.id} dialog=${dialog} />`)}<//>`;
}

function Confirmation({ title, text, confirm, danger, requireText, close }) {
  const [typed, setTyped] = useState("");
  const isAllowed = !requireText || typed.trim() === requireText;
  const footer = html`
    <${Button} onClick=${() => close(false)} data-autofocus=${danger && !requireText}>${t("common.cancel")}<//>
    <${Button} type="submit" variant=${danger ? "danger" : "primary"} disabled=${!isAllowed}
      data-autofocus=${!danger && !requireText}>${confirm ?? t("common.ok")}<//>
  `;
  return html`
    <${Dialog} title=${title} size="s" footer=${footer} onClose=${() => close(false)}
      onSubmit=${() => isAllowed && close(true)}>
      ${text && html`<p class="dialog-text">${text}</p>`}
      ${requireText &&
      html`<${Field} label=${t("common.type_to_confirm", { text: requireText })} value=${typed} onInput=${setTyped}
        autocomplete="off" />`}
    <//>
  `;
}

/**
 * Ask before something that cannot be undone.
 *
 * @param {object} question
 * @param {string} question.title
 * @param {string} [question.text]
 * @param {string} [question.confirm] the words of the button that does it
 * @param {boolean} [question.danger]
 * @param {string} [question.requireText] has to be typed first
 * @returns {Promise<boolean>}
 */
export async function confirmDialog(question) {
  return (await openDialog((close) => html`<${Confirmation} ...${question} close=${close} />`)) === true;
}

function Prompt({ title, text, label, value, confirm, maxLength, validate, close }) {
  const [typed, setTyped] = useState(value ?? "");
  const [error, setError] = useState(null);
  const submit = () => {
    const wrong = validate?.(typed) ?? null;
    setError(wrong);
    if (wrong === null) {
      close(typed);
    }
  };
  const footer = html`
    <${Button} onClick=${() => close()}>${t("common.cancel")}<//>
    <${Button} type="submit" variant="primary">${confirm ?? t("common.save")}<//>
  `;
  return html`
    <${Dialog} title=${title} size="s" footer=${footer} onClose=${() => close()} onSubmit=${submit}>
      ${text && html`<p class="dialog-text">${text}</p>`}
      <${Field} label=${label} value=${typed} onInput=${setTyped} error=${error} maxLength=${maxLength}
        autocomplete="off" onFocus=${(event) => event.currentTarget.select()} />
    <//>
  `;
}

/**
 * Ask for one line of text.
 *
 * @param {object} question
 * @param {string} question.title
 * @param {string} question.label
 * @param {string} [question.text]
 * @param {string} [question.value] what stands there at first
 * @param {string} [question.confirm]
 * @param {number} [question.maxLength]
 * @param {(text: string) => string|null} [question.validate] says what is wrong
 * @returns {Promise<string|undefined>} undefined: cancelled
 */
export function promptDialog(question) {
  return openDialog((close) => html`<${Prompt} ...${question} close=${close} />`);
}
