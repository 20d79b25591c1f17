/** Keyboard shortcuts: who wants one registers it, and the dialog on `?` lists them all. */

import { html, signal, useEffect, useRef } from "./html.js";
import { t } from "./i18n.js";
import { Dialog, openDialog } from "./ui/dialog.js";

const isMac = /Mac|iPhone|iPad/.test(navigator.platform);
const KEY_NAMES = {
  ctrl: isMac ? "⌘" : "Ctrl",
  alt: isMac ? "⌥" : "Alt",
  shift: isMac ? "⇧" : "Shift",
  arrowup: "↑",
  arrowdown: "↓",
  arrowleft: "←",
  arrowright: "→",
  escape: "Esc",
  enter: "Enter",
};

/** {keys, run, description, group, isListed}: the latest registration of a combination wins. */
const shortcuts = signal([]);

/**
 * The names of the keys of a combination as they stand on this computer's keyboard.
 *
 * @param {string} keys such as "ctrl+k"
 * @returns {string[]}
 */
export function keyNames(keys) {
  const capital = (key) => key[0].toUpperCase() + key.slice(1);
  return keys.split("+").map((key) => KEY_NAMES[key] ?? capital(key));
}

function isTyping(target) {
  const field = target.closest?.("input, textarea, select, [contenteditable=true]");
  return Boolean(field) && !["checkbox", "radio", "button"].includes(field.type);
}

function matches(keys, event) {
  const parts = keys.split("+");
  const key = parts.pop();
  const isPrimary = isMac ? event.metaKey : event.ctrlKey;
  // Where the layout has no Latin letters (or Alt makes other signs of them), their place on the keyboard counts.
  const isLetter = /^[a-z]$/.test(key) && !/^[a-z]$/i.test(event.key) && event.code === `Key${key.toUpperCase()}`;
  // A sign such as "?" may need Shift on one keyboard and none on another.
  const isShiftRight = parts.includes("shift") === event.shiftKey || (key.length === 1 && !/[a-z0-9]/.test(key));
  return (
    (event.key.toLowerCase() === key || isLetter) &&
    isPrimary === parts.includes("ctrl") &&
    event.altKey === parts.includes("alt") &&
    isShiftRight
  );
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing) {
    return;
  }
  const found = [...shortcuts.value].reverse().find(({ run, keys }) => run && matches(keys, event));
  const isPlain = found && !/ctrl|alt|escape/.test(found.keys);
  if (!found || (isPlain && isTyping(event.target)) || document.querySelector("dialog[open], :popover-open")) {
    return;
  }
  event.preventDefault();
  found.run(event);
});

/**
 * Register a shortcut as long as the component is on the page, and list it on `?`.
 *
 * @param {string} keys lower case, joined by "+": "ctrl" (on a Mac the command key), "alt", "shift", and the `key` of
 *   the event: "k", "?", "arrowup", "escape" …
 * @param {((event: KeyboardEvent) => void)|null} run null: only listed, the component listens itself. Not called while
 *   a dialog is open, nor, where neither ctrl nor alt is in it, while one types
 * @param {string} description for the list; "" is not listed
 * @param {string} [group] the heading that it stands under in the list
 */
export function useShortcut(keys, run, description, group = t("shortcuts.everywhere")) {
  const latest = useRef(run);
  latest.current = run;
  const isHeard = run !== null;
  useEffect(() => {
    const shortcut = { keys, description, group, run: isHeard ? (event) => latest.current(event) : null };
    shortcuts.value = [...shortcuts.value, shortcut];
    return () => {
      shortcuts.value = shortcuts.value.filter((other) => other !== shortcut);
    };
  }, [keys, description, group, isHeard]);
}

/** Open the list of the shortcuts. */
export function openShortcuts() {
  const listed = shortcuts.value.filter((shortcut) => shortcut.description);
  const groups = [...new Set([t("shortcuts.everywhere"), ...listed.map(({ group }) => group)])];
  openDialog(
    (close) => html`
      <${Dialog} title=${t("shortcuts.title")} onClose=${close}>
        ${groups.map(
          (group) => html`
            <section class="shortcut-group" key=${group}>
              <h3>${group}</h3>
              <dl>
                ${listed.filter((shortcut) => shortcut.group === group).map(
                  ({ keys, description }) => html`
                    <div class="shortcut" key=${description}>
                      <dt>${description}</dt>
                      <dd>${keyNames(keys).map((name) => html`<kbd>${name}</kbd>`)}</dd>
                    </div>
                  `,
                )}
              </dl>
            </section>
          `,
        )}
      <//>
    `,
  );
}
