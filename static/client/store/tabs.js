/** The tabs of this browser tell each other what the server tells nobody: changes of nicknames and friend groups. */

import { applyPacket } from "./packets.js";
import { me } from "./state.js";

const channel = new BroadcastChannel("nova");

/**
 * Apply a change that this tab's request has made, here and in the user's other tabs.
 * @param {string} action one of those in packets.js that do not come from the server
 * @param {object} data
 */
export function applyEverywhere(action, data) {
  applyPacket({ action, data });
  channel.postMessage({ userId: me.peek()?.id, packet: { action, data } });
}

/** Tell the other tabs that a user has signed in in this browser: the session of theirs may be another one now. */
export const tellSignIn = (userId) => channel.postMessage({ signedInId: userId });

/**
 * Listen to sign-ins in other tabs.
 * @param {(userId: number) => void} listener
 */
export const whenSignedInElsewhere = (listener) => channel.addEventListener("message", ({ data }) => {
  if (data.signedInId) listener(data.signedInId);
});

channel.addEventListener("message", ({ data: { userId, packet } }) => {
  if (packet && userId === me.peek()?.id) applyPacket(packet);
});
