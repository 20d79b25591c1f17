/** Which of the browser's tabs still live. Each holds a lock as long as it does. */

/** What a tab has not done by then is not done by it. */
const THOUGHT_GONE_AFTER_MS = 30_000;

/** An id that nobody else will have. `randomUUID` is missing on pages of plain http. */
export function createId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** This tab. */
export const TAB = createId();

const lockOf = (tab) => `nova.tab.${tab}`;

navigator.locks?.request(lockOf(TAB), () => new Promise(() => {})); // held to the end

/**
 * Wait until a tab is gone.
 * @param {string} tab
 * @returns {Promise<void>} where the browser does not tell (pages of plain http have no locks), after some time
 */
export async function whenGone(tab) {
  if (navigator.locks) await navigator.locks.request(lockOf(tab), () => {});
  else await new Promise((resolve) => { setTimeout(resolve, THOUGHT_GONE_AFTER_MS); });
}
