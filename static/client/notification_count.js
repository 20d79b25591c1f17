/** The number at the bell. */

import { computed } from "./html.js";
import { notificationSections } from "./registry.js";
import { friendInvitations } from "./store/state.js";

/**
 * How many notifications wait, those of plugins too.
 * @type {import("@preact/signals").ReadonlySignal<number>}
 */
export const notificationCount = computed(() =>
  notificationSections.value.reduce((sum, { count }) => sum + count.value, friendInvitations.value.length));
