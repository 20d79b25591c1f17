/** The WebSocket: opened, watched, opened again. What it says goes to one listener; what it is asked is answered. */

import { me } from "./state.js";
import { ApiError, pauseMs } from "./requests.js";

/** A socket that has said nothing for so long is asked whether it still lives … */
const PING_AFTER_MS = 25_000;
/** … and is dead if it says nothing for so long after that. */
const DEAD_AFTER_MS = 10_000;
/** The same where somebody comes back to the page and would like to know soon. */
const DEAD_AFTER_RETURN_MS = 4_000;
/** So long may a socket take to open. */
const OPEN_WITHIN_MS = 15_000;
/** So long may anything that is asked take. */
const ANSWER_WITHIN_MS = 30_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
const NOT_AUTHENTICATED = 403;
const CLOSED_NORMALLY = 1000;

/** Whether a packet is the answer to something that was asked. Only `pong` and `error` repeat the request_id. */
const ANSWERS = {
  ping: () => false,
  send_message: (asked, { action, data }) =>
    action === "new_message" && data.client_message_id === asked.client_message_id && data.client_message_id != null,
  edit_message: (asked, { action, data }) =>
    action === "message_edited" && data.message.message_id === asked.message_id,
  recall_message: (asked, { action, data }) => data?.message_id === asked.message_id &&
    action === (asked.delete ? "message_deleted" : "message_recalled"),
  messages_read: (asked, { action, data }) =>
    action === "messages_read" && data.chat_id === asked.chat_id && data.user_id === me.peek()?.id,
  presence: (_asked, { action, data }) => action === "presence" && Array.isArray(data.online),
  friend_invitations: (_asked, { action }) => action === "friend_invitations",
};
/** What is never answered but by an error. */
const UNANSWERED = new Set(["typing"]);

let socket = null;
let isWanted = false;
let tries = 0;
let retryTimer = null;
let lifeTimer = null;
let openTimer = null;
let lastHeardMs = 0;
let isEnding = false;
let lastRequestId = 0;
const asked = new Map(); // request_id → {action, data, resolve, reject, timer}

const listeners = {
  /** An attempt begins. */ connecting: () => {},
  /** The socket is open: catch up. */ open: () => {},
  /** A packet came. */ packet: (_packet) => {},
  /** The socket is gone; the next attempt is at that time (Date.now()). */ lost: (_retryAtMs) => {},
  /** The session has ended: no more attempts. */ ended: () => {},
};

/** Let the rest of the store listen: {connecting, open, packet, lost, ended}. */
export const listenToSocket = (more) => Object.assign(listeners, more);

/** Open the socket, and open it again whenever it is lost, until `disconnect`. */
export function connect() {
  isWanted = true;
  tries = 0;
  if (!socket) open();
}

/** Close the socket and leave it closed. */
export function disconnect() {
  isWanted = false;
  clearTimeout(retryTimer);
  retryTimer = null;
  drop();
}

/** Try now instead of at the end of the pause. */
export function retryNow() {
  if (!isWanted) return;
  if (socket) {
    checkLife(DEAD_AFTER_RETURN_MS);
  } else {
    tries = 0;
    open();
  }
}

/** The connection is of no use (catching up failed): close it and come back after a pause. */
export function reconnectLater() {
  if (socket) lose(socket);
}

/** Everything is up to date again: the next loss begins with the shortest pause. */
export function noteHealthy() {
  tries = 0;
}

function open() {
  clearTimeout(retryTimer);
  retryTimer = null;
  isEnding = false;
  listeners.connecting();
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const opened = socket = new WebSocket(`${scheme}://${location.host}/ws/`);
  openTimer = setTimeout(() => lose(opened), OPEN_WITHIN_MS);
  opened.onopen = () => {
    clearTimeout(openTimer);
    heard();
    listeners.open();
  };
  opened.onmessage = (event) => {
    if (socket !== opened) return;
    heard();
    receive(JSON.parse(event.data));
  };
  opened.onclose = (event) => {
    if (socket !== opened) return; // given up before
    if (isEnding && event.code === CLOSED_NORMALLY) {
      disconnect();
      listeners.ended();
    } else {
      lose(opened);
    }
  };
}

function drop() {
  clearTimeout(lifeTimer);
  clearTimeout(openTimer);
  const dropped = socket;
  socket = null;
  if (dropped) {
    dropped.onopen = dropped.onmessage = dropped.onclose = null;
    dropped.close();
  }
  for (const question of asked.values()) {
    clearTimeout(question.timer);
    question.reject(new ApiError(0, "unreachable"));
  }
  asked.clear();
}

function lose(lost) {
  if (socket !== lost) return;
  drop();
  if (!isWanted) return;
  const pause = pauseMs(tries, FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
  tries += 1;
  retryTimer = setTimeout(open, pause);
  listeners.lost(Date.now() + pause);
}

function heard() {
  lastHeardMs = Date.now();
  clearTimeout(lifeTimer);
  lifeTimer = setTimeout(() => checkLife(DEAD_AFTER_MS), PING_AFTER_MS);
}

function checkLife(withinMs) {
  if (socket?.readyState !== WebSocket.OPEN) return;
  const watched = socket;
  const askedAtMs = Date.now();
  ask("ping", null).catch(() => {});
  clearTimeout(lifeTimer);
  lifeTimer = setTimeout(() => {
    if (lastHeardMs < askedAtMs) lose(watched);
  }, withinMs);
}

function receive(packet) {
  if (packet.action === "logout" || (packet.action === "error" && packet.code === NOT_AUTHENTICATED)) isEnding = true;
  listeners.packet(packet);
}

/**
 * Settle what a packet answers. Called when the packet has been applied, so that who waits finds the new state.
 * @param {object} packet
 */
export function settle(packet) {
  if (packet.action === "error" || packet.action === "pong") {
    const question = asked.get(packet.request_id);
    if (!question) return;
    take(packet.request_id, question);
    if (packet.ok) question.resolve(packet.data);
    else question.reject(new ApiError(packet.code, packet.error));
    return;
  }
  for (const [id, question] of asked) {
    if (ANSWERS[question.action]?.(question.data, packet)) {
      take(id, question);
      question.resolve(packet.data);
    }
  }
}

function take(id, question) {
  clearTimeout(question.timer);
  asked.delete(id);
}

/**
 * Say something to the server.
 * @param {string} action of the protocol: "send_message", "edit_message" …
 * @param {object|null} data
 * @returns {Promise<object|null>} the data of the packet that answers it (null at once for what is never answered)
 * @throws {ApiError} the refusal; status 0 if there is no connection, or it broke before the answer
 */
export function ask(action, data) {
  return new Promise((resolve, reject) => {
    if (socket?.readyState !== WebSocket.OPEN) {
      reject(new ApiError(0, "unreachable"));
      return;
    }
    const id = lastRequestId += 1;
    socket.send(JSON.stringify({ action, data, request_id: id }));
    if (UNANSWERED.has(action)) {
      resolve(null);
      return;
    }
    const timer = setTimeout(() => {
      asked.delete(id);
      reject(new ApiError(0, "timeout"));
    }, ANSWER_WITHIN_MS);
    asked.set(id, { action, data, resolve, reject, timer });
  });
}

addEventListener("online", retryNow);
addEventListener("focus", retryNow);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) retryNow();
});
addEventListener("offline", () => {
  if (socket) lose(socket); // an open socket may look alive for minutes; if the browser is wrong, it is back at once
});
