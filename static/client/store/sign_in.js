/** Signing in and out. */

import { batch } from "@preact/signals";
import { noteSignedOut, tellSignedIn } from "../registry.js";
import { goDeaf, whenEnded } from "./catch_up.js";
import { dropLoads } from "./chat_loading.js";
import { dropConversations } from "./conversations.js";
import { closeOutbox, openOutbox } from "./outbox.js";
import { setMe } from "./packets.js";
import { ApiError, isPassing, pauseMs, request, whenSessionLost } from "./requests.js";
import { connect, disconnect } from "./socket.js";
import {
  chats, forgetUsers, friendGroups, friendInvitations, friends, isLoaded, me, online, session,
} from "./state.js";
import { tellSignIn, whenSignedInElsewhere } from "./tabs.js";

let leavingReason = null; // why this tab asked for the end of the session

function begin(user) {
  leavingReason = null;
  batch(() => {
    setMe(user);
    session.value = { status: "signed_in", reason: null };
  });
  openOutbox(user.id);
  tellSignedIn(user);
  connect();
}

function end(reason) {
  disconnect();
  goDeaf();
  closeOutbox();
  dropLoads();
  batch(() => {
    session.value = { status: "signed_out", reason };
    me.value = null;
    isLoaded.value = false;
    friends.value = new Map();
    friendGroups.value = [];
    friendInvitations.value = [];
    chats.value = new Map();
    online.value = new Set();
    dropConversations();
  });
  forgetUsers();
  noteSignedOut();
}

function endedElsewhere() {
  if (session.peek().status === "signed_in") end(leavingReason ?? "ended_elsewhere");
}

whenEnded(endedElsewhere);
whenSessionLost(endedElsewhere);
whenSignedInElsewhere((userId) => {
  const { status } = session.peek();
  if (status === "signed_out") checkSession();
  else if (status === "signed_in" && me.peek().id !== userId) location.reload();
});

/** Nobody is signed in, and nobody has to be asked: the page came without a session. */
export function beginSignedOut() {
  session.value = { status: "signed_out", reason: null };
}

let tryNow = null; // while it is tried again and again: try at once; resolves with that try

/**
 * Find out who is signed in. It is tried until the server answers; meanwhile the session's status is "unreachable", and
 * another call tries at once.
 * @returns {Promise<void>} resolves when it was tried
 */
export async function checkSession() {
  if (tryNow) {
    await tryNow();
    return;
  }
  let tries = 0;
  let timer = null;
  const tryOnce = async () => {
    clearTimeout(timer);
    if (await isKnown()) {
      tryNow = null;
      removeEventListener("online", tryOnce);
    } else {
      clearTimeout(timer); // of another try at the same time
      timer = setTimeout(tryOnce, pauseMs(tries));
      tries += 1;
    }
  };
  tryNow = tryOnce;
  addEventListener("online", tryOnce);
  await tryOnce();
}

async function isKnown() {
  try {
    const user = await request("GET", "/user");
    if (session.peek().status !== "signed_in") begin(user);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const isAnswer = !isPassing(error) && error.status < 500;
    if (session.peek().status !== "signed_in") {
      session.value = { status: isAnswer ? "signed_out" : "unreachable", reason: null };
    }
    return isAnswer;
  }
  return true;
}

async function enter(path, name, password) {
  const user = await request("POST", path, { user_name: name, password });
  tellSignIn(user.id);
  begin(user);
}

/**
 * Sign in.
 * @param {string} name a user name or an e-mail address
 * @param {string} password
 * @throws {ApiError}
 */
export const signIn = (name, password) => enter("/user/login", name, password);

/** Make an account and sign in. As signIn. */
export const register = (name, password) => enter("/user/register", name, password);

async function leave(method, path, reason) {
  leavingReason = reason;
  try {
    await request(method, path);
  } catch (error) {
    leavingReason = null;
    if (session.peek().status === "signed_in") throw error;
  }
  if (session.peek().status === "signed_in") end(reason);
}

/**
 * Sign out in this browser.
 * @throws {ApiError} nothing has changed
 */
export const signOut = () => leave("POST", "/user/logout", "signed_out");

/**
 * Delete the account, for good.
 * @throws {ApiError} nothing has changed
 */
export async function deleteAccount() {
  const { id } = me.peek();
  await leave("DELETE", "/user", "account_deleted");
  closeOutbox(id);
}
