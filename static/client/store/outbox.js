/**
 * Messages that are being sent. Each stands in localStorage under its own key until the server has it, so that neither
 * a reload nor another tab loses it. A repeat is recognised by the server: to send twice does no harm.
 */

import { signal } from "@preact/signals";
import { config } from "../config.js";
import { errorText } from "../i18n.js";
import { readStored, storedKeys, writeStored } from "../preferences.js";
import { onPacket } from "./packets.js";
import { ApiError, isPassing, later, pauseMs } from "./requests.js";
import { ask } from "./socket.js";
import { chats, me } from "./state.js";
import { createId, TAB, whenGone } from "./tab_life.js";
import { uploadFile } from "./uploads.js";

/** What the server says about a file that has waited too long for its message. */
const FILE_GONE = "A file is unknown, attached already, or was uploaded too long ago";
const HELD = "The message waits for approval";

const entries = signal(new Map()); // client_message_id → entry
const blobs = new Map(); // client_message_id → the Files of an entry of this tab
const uploading = new Map(); // client_message_id → AbortController
const acknowledged = new Set(); // stored by the server, the packet not applied yet
const sending = new Map(); // chat id → Promise of the sender at work
let userId = null;
let isConnected = false;
let lastCreatedMs = 0;

const keyOf = (id) => `outbox.${userId}.${id}`;

// Entries: {client_message_id, chat_id, content, reply_to, files: [{name, size, type, id|null}], created_at_ms, status,
// progress, error (the server's sentence), is_held, tab}

function put(entry) {
  entries.value = new Map(entries.peek()).set(entry.client_message_id, entry);
}

function change(id, changes) {
  const entry = entries.peek().get(id);
  if (!entry) return null; // sent or discarded meanwhile
  const changed = { ...entry, ...changes };
  put(changed);
  if (!("progress" in changes)) writeStored(keyOf(id), JSON.stringify({ ...changed, progress: 0 }));
  return changed;
}

function remove(id) {
  uploading.get(id)?.abort(new DOMException("", "AbortError"));
  uploading.delete(id);
  blobs.delete(id);
  writeStored(keyOf(id), null);
  if (!entries.peek().has(id)) return;
  const left = new Map(entries.peek());
  left.delete(id);
  entries.value = left;
}

const inOrder = (list) => list.sort((one, other) => one.created_at_ms - other.created_at_ms);

/**
 * What is being sent in a chat, the oldest first.
 * @param {number} chatId
 * @returns {{client_message_id: string, chat_id: number, content: string, reply_to: number|null,
 *   files: {name: string, size: number, type: string}[], created_at_ms: number,
 *   status: "pending"|"uploading"|"failed", progress: number, error: string|null, is_held: boolean}[]}
 *   `files` the Files themselves, where this tab has them; `progress` 0 to 1 of the uploads; `error` why it failed;
 *   `is_held`: it waits for approval by the group's managers
 */
export function pending(chatId) {
  const ofChat = [...entries.value.values()].filter((entry) => entry.chat_id === chatId);
  return inOrder(ofChat).map((entry) => ({
    ...entry,
    files: blobs.get(entry.client_message_id) ?? entry.files,
    error: entry.error && errorText(entry.error),
  }));
}

/**
 * Send a message: it is pending at once, and sent as soon as that is possible, in order.
 * @param {number} chatId
 * @param {{content: string, reply_to?: number|null, files?: File[]}} message a text, files, or both
 * @returns {string} its client_message_id
 */
export function sendMessage(chatId, { content, reply_to = null, files = [] }) {
  const id = createId();
  const tooLarge = files.some((file) => file.size > config.file_max_bytes);
  lastCreatedMs = Math.max(Date.now(), lastCreatedMs + 1); // the order of writing, whatever the clock does
  const entry = {
    client_message_id: id,
    chat_id: chatId,
    content,
    reply_to,
    files: files.map(({ name, size, type }) => ({ name: name || "file", size, type, id: null })),
    created_at_ms: lastCreatedMs,
    status: files.length ? "uploading" : "pending",
    progress: 0,
    error: null,
    is_held: false,
    tab: TAB,
  };
  if (files.length) blobs.set(id, files);
  put(entry);
  change(id, tooLarge ? { status: "failed", error: "file too large" } : {});
  if (!tooLarge) start(id);
  return id;
}

/** Send what has failed once more. */
export function retry(id) {
  const entry = entries.peek().get(id);
  if (entry?.status !== "failed") return;
  const isReady = entry.files.every((file) => file.id !== null);
  change(id, { status: isReady ? "pending" : "uploading", error: null, tab: TAB });
  start(id);
}

/** Forget what is being sent, or has failed. */
export const discard = (id) => remove(id);

function start(id) {
  const entry = entries.peek().get(id);
  if (entry.status === "uploading") uploadFiles(entry);
  else send(entry.chat_id);
}

const fail = (id, error) => change(id, { status: "failed", error });

async function uploadFiles({ client_message_id: id, files }) {
  const ofEntry = blobs.get(id);
  if (!ofEntry) {
    fail(id, "file lost"); // a reload keeps the text, but no files
    return;
  }
  const stop = new AbortController();
  uploading.set(id, stop);
  const total = files.reduce((sum, file) => sum + file.size, 0) || 1;
  const sent = files.map((file) => (file.id === null ? 0 : file.size));
  const note = (index, share) => {
    sent[index] = share * files[index].size;
    change(id, { progress: sent.reduce((sum, bytes) => sum + bytes, 0) / total });
  };
  try {
    await Promise.all(ofEntry.map(async (file, index) => {
      if (files[index].id !== null) return;
      const uploaded = await uploadFile(file, (share) => note(index, share), stop.signal);
      note(index, 1);
      const now = entries.peek().get(id)?.files ?? files;
      change(id, { files: now.map((known, place) => (place === index ? { ...known, id: uploaded.id } : known)) });
    }));
    const entry = change(id, { status: "pending" });
    if (entry) send(entry.chat_id);
  } catch (error) {
    stop.abort(error);
    if (error instanceof ApiError) fail(id, error.sentence);
    else if (error.name !== "AbortError") throw error;
  } finally {
    if (uploading.get(id) === stop) uploading.delete(id);
  }
}

// Sending: one message of a chat at a time, so that the order stays when the server is busy in the middle.

const isMine = (entry) => entry.tab === TAB;

function next(chatId) {
  const ready = [...entries.peek().values()].filter((entry) =>
    entry.chat_id === chatId && entry.status === "pending" && isMine(entry) &&
    !acknowledged.has(entry.client_message_id));
  return inOrder(ready)[0];
}

function send(chatId) {
  if (!isConnected) return Promise.resolve();
  if (!sending.has(chatId)) {
    sending.set(chatId, sendAll(chatId).finally(() => sending.delete(chatId)));
  }
  return sending.get(chatId);
}

async function sendAll(chatId) {
  let tries = 0;
  for (let entry = next(chatId); entry && isConnected; entry = next(chatId)) {
    const { client_message_id: id, content, reply_to, files } = entry;
    const data = { chat_id: chatId, content, client_message_id: id };
    if (reply_to !== null) data.reply_to = reply_to;
    if (files.length) data.files = files.map((file) => file.id);
    try {
      await ask("send_message", data);
      acknowledged.add(id);
      tries = 0;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (!isConnected) return; // coming back sends it again
      if (isPassing(error)) {
        await later(pauseMs(tries));
        tries += 1;
      } else if (error.sentence === FILE_GONE && blobs.has(id)) {
        change(id, { status: "uploading", files: files.map((file) => ({ ...file, id: null })) });
        start(id);
      } else {
        change(id, { status: "failed", error: error.sentence, is_held: error.sentence.startsWith(HELD) });
      }
    }
  }
}

/** The connection is there: send all that waits. Resolves when it is sent, or cannot be. */
export async function resumeSending() {
  isConnected = true;
  const chatIds = new Set([...entries.peek().values()].map((entry) => entry.chat_id));
  await Promise.all([...chatIds].map(send));
}

/** Forget what has failed in chats that are gone: nobody can see it any more, or send it. */
export function dropStrays() {
  for (const { client_message_id: id, chat_id, status } of entries.peek().values()) {
    if (status === "failed" && !chats.peek().has(chat_id)) remove(id);
  }
}

/** The connection is gone. */
export function pauseSending() {
  isConnected = false;
  acknowledged.clear(); // what was not applied by now never will be: sending again brings it once more
}

onPacket("new_message", ({ message, client_message_id: id }) => {
  if (!id || message.sender.id !== me.peek()?.id) return;
  remove(id);
  acknowledged.delete(id);
});
onPacket("message_approved", ({ client_message_id: id }) => id && remove(id));
onPacket("message_declined", ({ client_message_id: id }) =>
  id && change(id, { status: "failed", error: "message declined", is_held: false }));

// Tabs

const watched = new Set();

/** Take over what a tab leaves when it is gone. Should two tabs do so, the server recognises the repeats. */
async function adoptFrom(tab) {
  if (watched.has(tab)) return;
  watched.add(tab);
  await whenGone(tab);
  watched.delete(tab);
  for (const { client_message_id: id, chat_id, status, tab: owner } of entries.peek().values()) {
    if (owner !== tab) continue;
    change(id, { tab: TAB, ...(status === "uploading" ? { status: "failed", error: "file lost" } : {}) });
    if (status === "pending") send(chat_id);
  }
}

function take(text) {
  try {
    const entry = JSON.parse(text);
    if (!entry?.client_message_id || !Array.isArray(entry.files)) return;
    put(entry);
    if (!isMine(entry)) adoptFrom(entry.tab);
    else if (entry.status === "uploading" && !blobs.has(entry.client_message_id)) start(entry.client_message_id);
  } catch {
    // not ours
  }
}

addEventListener("storage", ({ key, newValue }) => {
  const prefix = `nova.outbox.${userId}.`;
  if (!key?.startsWith(prefix)) return;
  if (newValue === null) remove(key.slice(prefix.length)); // it was sent or discarded in another tab
  else take(newValue);
});

/** A user has signed in: what they have not sent yet is there again. */
export function openOutbox(id) {
  closeOutbox();
  userId = id;
  for (const key of storedKeys(`outbox.${id}.`)) take(readStored(key));
}

/**
 * The user has signed out. What was not sent stays in the browser, for the next time.
 * @param {number|null} deletedId the user whose account is gone: then it goes, too
 */
export function closeOutbox(deletedId = null) {
  pauseSending();
  for (const stop of uploading.values()) stop.abort(new DOMException("", "AbortError"));
  uploading.clear();
  blobs.clear();
  acknowledged.clear();
  entries.value = new Map();
  for (const prefix of deletedId === null ? [] : ["outbox", "draft"]) {
    storedKeys(`${prefix}.${deletedId}.`).forEach((key) => writeStored(key, null));
  }
}
