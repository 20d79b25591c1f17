/**
 * Coming (back): what was missed is asked for while what comes in is kept aside, and then the one is applied after the
 * other. Live, what comes in is gathered and applied once a frame.
 */

import { batch } from "@preact/signals";
import { tellCaughtUp } from "../registry.js";
import { chatOf } from "./chat_changes.js";
import { dropLoads, rememberUsersOf } from "./chat_loading.js";
import { refreshConversations } from "./conversations.js";
import { noteDeaf } from "./listening.js";
import { dropStrays, pauseSending, resumeSending } from "./outbox.js";
import { applyPacket, forgetTyping, setMe } from "./packets.js";
import { ApiError, isPassing, later, request } from "./requests.js";
import { ask, listenToSocket, noteHealthy, reconnectLater, settle } from "./socket.js";
import { chats, connection, friendGroups, friends, isLoaded, me, rememberUser } from "./state.js";

/** So long the client waits for what it sends again, so that it does not show it twice in between. */
const SENDING_AGAIN_MS = 1_500;
/** What came in is applied after so long at the latest: hidden pages have no frames. */
const LONGEST_GATHERING_MS = 100;

let aside = null; // packets that came while catching up, or null
let turn = 0;
let onEnded = () => {};

/** Let the sign-in know that the session has ended. */
export function whenEnded(listener) {
  onEnded = listener;
}

listenToSocket({
  connecting: () => show("connecting"),
  open: () => catchUp(),
  packet(packet) {
    if (aside) {
      aside.push(packet);
      settle(packet);
    } else {
      gather(packet);
    }
  },
  lost(retryAtMs) {
    goDeaf();
    show("waiting", retryAtMs);
  },
  ended() {
    goDeaf();
    onEnded();
  },
});

function show(status, retryAtMs = null) {
  connection.value = { status: navigator.onLine || status === "online" ? status : "offline", retryAtMs };
}

addEventListener("online", () => {
  if (connection.peek().status === "offline") show("connecting");
});

/** Nothing comes in any more. What came until now is applied. */
export function goDeaf() {
  turn += 1;
  applyGathered();
  aside = null;
  noteDeaf();
  pauseSending();
  forgetTyping();
}

async function catchUp() {
  const ofTurn = turn += 1;
  aside = [];
  dropLoads();
  const sentAgain = resumeSending();
  try {
    const [user, friendList, groups, chatList, refresh] = await Promise.all([
      request("GET", "/user"),
      request("GET", "/friend"),
      request("GET", "/friend/group/list"),
      request("GET", "/chat"),
      refreshConversations(),
      ask("presence", null).catch(rejectIfPassing),
      ask("friend_invitations", {}).catch(rejectIfPassing),
      Promise.race([sentAgain, later(SENDING_AGAIN_MS)]),
    ]);
    if (ofTurn !== turn) return;
    if (user.id !== me.peek()?.id) {
      location.reload(); // another user has signed in in this browser
      return;
    }
    batch(() => {
      setMe(user);
      takeFriends(friendList, groups);
      takeChats(chatList);
      refresh();
      isLoaded.value = true;
      const kept = aside;
      aside = null;
      kept.forEach((packet) => applyPacket(packet, { isKeptAside: true }));
      dropStrays();
      show("online");
    });
    noteHealthy();
    tellCaughtUp();
  } catch (error) {
    if (!(error instanceof ApiError)) console.error(error);
    if (ofTurn === turn) reconnectLater();
  }
}

/** A refusal changes nothing here; a broken connection does. */
function rejectIfPassing(error) {
  if (isPassing(error)) throw error;
}

function takeFriends(friendList, groups) {
  friendGroups.value = groups;
  friends.value = new Map(friendList.map(({ friend: user, nickname, group }) => {
    rememberUser(user);
    return [user.id, { user, nickname, group_id: group.group_id }];
  }));
}

function takeChats(relations) {
  chats.value = new Map(relations.map((relation) => {
    rememberUsersOf(relation.chat);
    return [relation.chat.chat_id, chatOf(relation)];
  }));
}

// Live

let gathered = [];
let frame = 0;
let timer = 0;

function gather(packet) {
  gathered.push(packet);
  if (gathered.length > 1) return;
  frame = requestAnimationFrame(applyGathered);
  timer = setTimeout(applyGathered, LONGEST_GATHERING_MS);
}

function applyGathered() {
  cancelAnimationFrame(frame);
  clearTimeout(timer);
  const packets = gathered;
  gathered = [];
  batch(() => packets.forEach((packet) => applyPacket(packet)));
  packets.forEach(settle);
}
