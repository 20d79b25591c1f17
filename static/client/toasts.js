/** Short words at the edge of the screen about what has happened. */

import { html, signal } from "./html.js";
import { t } from "./i18n.js";
import { IconButton } from "./ui/button.js";
import { Icon } from "./ui/icon.js";

/** How long they stay, in ms: a sentence is read in about 4 s; an error or an action wants more. */
const SHORT_MS = 4000;
const LONG_MS = 8000;
/** More at once would hide the page; the oldest goes. */
const MAX_TOASTS = 3;
const ICON_OF_KIND = { info: "info", success: "check", error: "alert" };

/** {id, text, kind, action}, the oldest first. */
const toasts = signal([]);
const timers = new Map();
let lastId = 0;

function startTimer(toast) {
  clearTimeout(timers.get(toast.id));
  timers.set(toast.id, setTimeout(() => hide(toast.id), toast.action || toast.kind === "error" ? LONG_MS : SHORT_MS));
}

function hide(id) {
  clearTimeout(timers.get(id));
  timers.delete(id);
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}

/**
 * Show a toast. Errors are read out at once, the others when the screen reader has time.
 *
 * @param {string} text
 * @param {object} [options]
 * @param {"info"|"success"|"error"} [options.kind]
 * @param {{label: string, run: () => void}} [options.action] one thing that can be done about it, such as to undo it
 */
export function showToast(text, { kind = "info", action } = {}) {
  const same = toasts.value.find((toast) => toast.text === text && toast.kind === kind);
  if (same && !action) {
    startTimer(same);
    return;
  }
  const toast = { id: ++lastId, text, kind, action };
  const kept = toasts.value.slice(-(MAX_TOASTS - 1));
  toasts.value.filter((other) => !kept.includes(other)).forEach((other) => hide(other.id));
  toasts.value = [...kept, toast];
  startTimer(toast);
}

function Toast({ toast }) {
  const run = () => {
    hide(toast.id);
    toast.action.run();
  };
  // Who points at it, or has come to it by keyboard, is still reading.
  const hold = () => clearTimeout(timers.get(toast.id));
  const release = () => timers.has(toast.id) && startTimer(toast);
  return html`
    <div class=${`toast toast-${toast.kind}`} onPointerEnter=${hold} onPointerLeave=${release}
      onFocusIn=${hold} onFocusOut=${release}>
      <${Icon} name=${ICON_OF_KIND[toast.kind]} />
      <span class="toast-text">${toast.text}</span>
      ${toast.action && html`<button type="button" class="toast-action" onClick=${run}>${toast.action.label}</button>`}
      <${IconButton} icon="close" size=${16} label=${t("common.close")} onClick=${() => hide(toast.id)} />
    </div>
  `;
}

/** Where toasts appear; stands once in the app. Both regions are always there: screen readers watch only such. */
export function Toasts() {
  const of = (isError) => toasts.value.filter((toast) => (toast.kind === "error") === isError);
  const list = (some) => some.map((toast) => html`<${Toast} key=${toast.id} toast=${toast} />`);
  return html`
    <div class="toasts">
      <div aria-live="assertive">${list(of(true))}</div>
      <div aria-live="polite">${list(of(false))}</div>
    </div>
  `;
}
