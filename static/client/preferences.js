/** What this browser remembers of its user's taste. Kept in localStorage under `nova.*`, if the browser lets us. */

import { effect, signal } from "@preact/signals";

/**
 * Read from localStorage.
 * @param {string} key without `nova.`
 * @returns {string|null} null too where the browser forbids storage
 */
export function readStored(key) {
  try {
    return localStorage.getItem(`nova.${key}`);
  } catch {
    return null;
  }
}

/**
 * Write to localStorage.
 * @param {string} key without `nova.`
 * @param {string|null} value null removes it
 */
export function writeStored(key, value) {
  try {
    if (value === null) localStorage.removeItem(`nova.${key}`);
    else localStorage.setItem(`nova.${key}`, value);
  } catch {
    // full or forbidden: it is forgotten at the next start, and that is all
  }
}

/**
 * The keys below a prefix.
 * @param {string} prefix without `nova.`
 * @returns {string[]} without `nova.`
 */
export function storedKeys(prefix) {
  try {
    return Object.keys(localStorage).filter((key) => key.startsWith(`nova.${prefix}`)).map((key) => key.slice(5));
  } catch {
    return [];
  }
}

/**
 * A signal whose value outlives the page and is the same in all tabs.
 * @template T
 * @param {string} key without `nova.`
 * @param {T} fallback until the user has chosen
 * @returns {import("@preact/signals").Signal<T>}
 */
export function preference(key, fallback) {
  const read = (text) => {
    try {
      return text === null ? fallback : JSON.parse(text);
    } catch {
      return fallback;
    }
  };
  const kept = signal(read(readStored(key)));
  let isFirst = true;
  effect(() => {
    const text = JSON.stringify(kept.value);
    if (!isFirst) writeStored(key, text);
    isFirst = false;
  });
  addEventListener("storage", (event) => {
    if (event.key === `nova.${key}`) kept.value = read(event.newValue);
  });
  return kept;
}

/** "system", "light" or "dark". */
export const theme = preference("theme", "system");

/** Whether Enter sends and Shift+Enter makes a new line; otherwise Ctrl+Enter sends. */
export const enterSends = preference("enter_sends", true);

const darkScheme = matchMedia("(prefers-color-scheme: dark)");

/** Whether dark is shown now. */
export const isDark = signal(false);

function showTheme() {
  isDark.value = theme.value === "dark" || (theme.value === "system" && darkScheme.matches);
  document.documentElement.dataset.theme = theme.value;
}

effect(showTheme);
darkScheme.addEventListener("change", showTheme);
