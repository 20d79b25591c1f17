/** What waits for the managers of groups, for the parts of plugins: proposals of new members, held messages … */

import { computed, effect, signal, untracked } from "@preact/signals";
import { parts } from "./registry.js";
import { request } from "./store/requests.js";
import { chats, me, myRole } from "./store/state.js";

/** Somebody may manage hundreds of groups; more requests at once would delay everything else. */
const LOADS_AT_ONCE = 3;

/** Whether the signed-in user is the owner or an admin of a chat. */
export const isManaged = (chat) => !chat.is_private && myRole(chat) !== "member";

/** A text, so that what depends on it is not disturbed by every new message. */
const managed = computed(() => {
  const ids = [...chats.value.values()].filter(isManaged).map((chat) => chat.chat_id);
  return `${me.value?.id ?? ""}:${ids.sort((one, other) => one - other).join()}`;
});

/**
 * A list for each group that the user manages. It is there from the sign-in on, and is loaded again whenever the
 * connection was lost; groups come and go with the user's rights.
 * @param {(chatId: number) => string} pathOf where to GET the list
 * @returns {{
 *   lists: import("@preact/signals").ReadonlySignal<Map<number, {items: object[]|null, error: Error|null}>>,
 *   load: (chatId: number) => void,
 *   change: (chatId: number, change: (items: object[]) => object[]) => void,
 * }} `lists` by chat id (`items` null: not there yet); `load` reads one again; `change` is for what packets tell
 */
export function managedLists(pathOf) {
  const lists = signal(new Map());
  const waiting = new Set();
  const changedWhileLoading = new Set();
  let userId = null;
  let loads = 0;

  const put = (chatId, values) => {
    const list = lists.peek().get(chatId);
    if (list) lists.value = new Map(lists.peek()).set(chatId, { ...list, ...values });
  };

  async function loadNow(chatId) {
    changedWhileLoading.delete(chatId);
    try {
      const items = await request("GET", pathOf(chatId));
      // The answer may be older than a packet that came meanwhile.
      if (changedWhileLoading.has(chatId)) waiting.add(chatId);
      else put(chatId, { items, error: null });
    } catch (error) {
      put(chatId, { error });
    }
  }

  async function work() {
    if (loads >= LOADS_AT_ONCE) return;
    loads += 1;
    for (const chatId of waiting) { // what is added meanwhile comes, too
      waiting.delete(chatId);
      if (lists.peek().has(chatId)) await loadNow(chatId);
    }
    loads -= 1;
  }

  function load(chatId) {
    waiting.add(chatId);
    work();
  }

  function change(chatId, changeItems) {
    changedWhileLoading.add(chatId);
    const items = lists.peek().get(chatId)?.items;
    if (items) put(chatId, { items: changeItems(items) });
  }

  effect(() => {
    const [user, ids] = managed.value.split(":");
    untracked(() => {
      const known = user === userId ? lists.peek() : new Map();
      const wanted = ids ? ids.split(",").map(Number) : [];
      userId = user;
      lists.value = new Map(wanted.map((chatId) => [chatId, known.get(chatId) ?? { items: null, error: null }]));
      wanted.filter((chatId) => !known.has(chatId)).forEach(load);
    });
  });
  parts.onCaughtUp(() => [...lists.peek().keys()].forEach(load));

  return { lists, load, change };
}
