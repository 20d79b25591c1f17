/** Where the user is. The address after `#` says it, so that back, forward, reload and links work. */

import { signal } from "@preact/signals";

/** The view that an empty or unknown address leads to. */
const FIRST_VIEW = "chats";

function parse(hash) {
  const parts = hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decode);
  const [view = FIRST_VIEW, ...params] = parts;
  const isChat = view === "chats" && /^[1-9]\d*$/.test(params[0] ?? "");
  const chatId = isChat ? Number(params[0]) : null;
  const messageId = isChat && params[1] === "messages" && /^[1-9]\d*$/.test(params[2] ?? "") ? Number(params[2]) : null;
  const panel = isChat && params[1] === "panel" ? params[2] ?? "" : null;
  return { view, chatId, messageId, panel, params };
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/**
 * The present place: `view` ("chats", "friends", "notifications", "settings" …), `chatId` and `messageId` (numbers or
 * null), `panel` (of `#/chats/7/panel/<id>`, or null), `params` (everything behind the view).
 * @type {import("@preact/signals").Signal<{view: string, chatId: number|null, messageId: number|null,
 *   panel: string|null, params: string[]}>}
 */
export const route = signal(parse(location.hash));

addEventListener("hashchange", () => { route.value = parse(location.hash); });

/**
 * Go to a place.
 * @param {string} hash such as `#/chats/7`, `#/chats/7/messages/700000012`, `#/settings/profile`
 * @param {{replace?: boolean}} options replace: without an entry in the history
 */
export function navigate(hash, { replace = false } = {}) {
  if (replace) {
    history.replaceState(null, "", hash);
    route.value = parse(hash);
  } else if (location.hash === hash) {
    route.value = parse(hash); // a new object: going where one is still tells the listeners (a second jump)
  } else {
    location.hash = hash;
    route.value = parse(hash); // hashchange comes later than this task
  }
}
