/**
 * The messages of chats that were opened: of each a window, a piece of the history without gaps. It grows by pages at
 * both ends, and by what comes live while it reaches to the end.
 */

import { batch, computed, effect, signal } from "@preact/signals";
import { chatIdOf } from "./chat_changes.js";
import { loadChat } from "./chat_loading.js";
import { noteListening, noteUpToDate, whenListening, whenUpToDate } from "./listening.js";
import { changeMessages, indexOf, keepSame, merge, withoutUser } from "./message_changes.js";
import { record } from "./recording.js";
import { ApiError, isPassing, request } from "./requests.js";
import { ask } from "./socket.js";
import { chatBeingRead, chats, connection, knownUser, rememberUsersOfMessage } from "./state.js";

/** So many messages a window keeps; what is farther from where one reads is dropped, and loaded again when needed. */
export const MAX_LOADED_MESSAGES = 500;
/** So many while live messages come in behind somebody who reads higher up. */
const MAX_UNREAD_ABOVE_END = 2 * MAX_LOADED_MESSAGES;
const PAGE_MESSAGES = 50;
/** The first page reaches back to before the first unread message, if that is not too far. */
const READ_ABOVE_UNREAD_MESSAGES = 20;
const MAX_FIRST_PAGE_MESSAGES = 300;
/** The most that the server gives in one page. */
const LARGEST_PAGE_MESSAGES = 1000;
/** Windows of so many chats are kept. */
const MAX_KEPT_CHATS = 5;
/** After saying that everything is read, so long until it is said again. */
const READ_PAUSE_MS = 500;

const conversations = new Map(); // chat id → conversation, the one opened last at the end
let openId = null;

/**
 * The conversation of a chat. What it shows stands in signals: `messages` (ChatMessage.Detailed, ascending, without
 * pending ones; with `client_message_id` where this page saw them come; what did not change is the same object),
 * `atBeginning`, `atEnd` (whether the window reaches so far), `isLoading` ("first", "older", "newer" or null), `error`
 * (what loading failed with, to be shown, or null), `newestReadSeparatorId` (the first message that was unread when the
 * chat was opened, or null).
 * @param {number} chatId
 */
export function conversation(chatId) {
  let known = conversations.get(chatId);
  if (!known) {
    const failure = signal(null);
    known = {
      chatId,
      messages: signal([]),
      atBeginning: signal(false),
      atEnd: signal(false),
      isLoading: signal(null),
      error: computed(() => failure.value?.message ?? null),
      newestReadSeparatorId: signal(null),
      failure,
      isFilled: false,
      turn: 0, // counts what makes answers under way useless
      loading: null, // what is being loaded: {isReading: whether it was asked for, again: () => load it anew}
      opening: null, // {unread, newestId} at the opening, until the separator has its place
    };
    conversations.set(chatId, known);
  }
  return known;
}

/**
 * Open a chat: load its newest messages, or those around one of them.
 * @param {number} chatId
 * @param {number|null} messageId
 */
export async function openChat(chatId, messageId = null) {
  const opened = conversation(chatId);
  conversations.delete(chatId);
  conversations.set(chatId, opened);
  openId = chatId;
  opened.opening = "due";
  opened.newestReadSeparatorId.value = opened.failure.value = null;
  const filled = [...conversations.values()].filter((other) => other.isFilled && other !== opened);
  filled.slice(0, Math.max(0, filled.length + 1 - MAX_KEPT_CHATS)).forEach(empty);
  placeSeparator(opened);
  if (messageId !== null) await jumpTo(chatId, messageId).catch(() => {}); // `error` says it, if it is one
  else if (opened.isLoading.peek() !== "first") await jumpToNewest(chatId);
}

/** No chat is open any more. Its window is kept for a while. */
export function closeChat() {
  openId = null;
  chatBeingRead.value = null;
}

/** The id of the open chat, or null. */
export const openChatId = () => openId;

/** Load the page before the window. Nothing happens at the beginning, or while something is being loaded. */
export async function loadOlder(chatId) {
  const grown = conversation(chatId);
  if (!grown.isFilled || grown.isLoading.peek() || grown.atBeginning.peek()) return;
  await load(grown, "older", async () => {
    const page = await readPage(chatId, { before: grown.messages.peek()[0].message_id });
    return (messages) => {
      const all = merge(page.messages, messages);
      grown.atBeginning.value = !page.isFull;
      if (all.length > MAX_LOADED_MESSAGES) grown.atEnd.value = false;
      return all.slice(0, MAX_LOADED_MESSAGES);
    };
  });
}

/** Load the page behind the window. Nothing happens at the end, or while something is being loaded. */
export async function loadNewer(chatId) {
  const grown = conversation(chatId);
  if (!grown.isFilled || grown.isLoading.peek() || grown.atEnd.peek()) return;
  await load(grown, "newer", async () => {
    const page = await readPage(chatId, { after: grown.messages.peek().at(-1).message_id });
    return (messages) => {
      const all = merge(messages, page.messages);
      grown.atEnd.value = !page.isFull;
      if (all.length > MAX_LOADED_MESSAGES) grown.atBeginning.value = false;
      return all.slice(-MAX_LOADED_MESSAGES);
    };
  });
}

/**
 * Load the messages around one, unless it is there.
 * @param {number} chatId @param {number} messageId
 * @returns {Promise<void>} resolves when it is there, or when something else was loaded instead
 * @throws {ApiError} it cannot be had
 */
export async function jumpTo(chatId, messageId) {
  const moved = conversation(chatId);
  if (moved.isFilled && indexOf(moved.messages.peek(), messageId) >= 0) return;
  const turn = moved.turn + 1;
  await load(moved, "first", async () => {
    const [before, after] = await Promise.all([
      readPage(chatId, { before: messageId + 1 }),
      readPage(chatId, { after: messageId }),
    ]);
    return () => {
      moved.atBeginning.value = !before.isFull;
      moved.atEnd.value = !after.isFull;
      return merge(before.messages, after.messages);
    };
  });
  if (moved.turn !== turn) return;
  if (moved.failure.peek()) throw moved.failure.peek();
  if (indexOf(moved.messages.peek(), messageId) < 0) throw new ApiError(400, "Message not found");
}

/** Load the newest messages, unless the window reaches to them. */
export async function jumpToNewest(chatId) {
  const moved = conversation(chatId);
  if (moved.isFilled && moved.atEnd.peek()) return;
  await load(moved, "first", async () => {
    if (!chats.peek().has(chatId)) await whenUpToDate(); // to know how much is unread
    const unread = chats.peek().get(chatId)?.unread_count ?? 0;
    const limit = Math.min(Math.max(PAGE_MESSAGES, unread + READ_ABOVE_UNREAD_MESSAGES), MAX_FIRST_PAGE_MESSAGES);
    const page = await readPage(chatId, {}, limit);
    return () => {
      moved.atBeginning.value = !page.isFull;
      moved.atEnd.value = true;
      return page.messages;
    };
  });
}

async function readPage(chatId, query, limit = PAGE_MESSAGES) {
  const messages = await request("GET", `/chat/${chatId}/messages?${new URLSearchParams({ ...query, limit })}`);
  for (const message of messages) rememberUsersOfMessage(message);
  return { messages: messages.reverse(), isFull: messages.length === limit };
}

/**
 * Load something into a window.
 * @param {object} loaded the conversation
 * @param {"first"|"older"|"newer"} kind a "first" one takes the place of all that is under way
 * @param {() => Promise<(messages: object[]) => object[]>} read gives how the window changes by what it has read
 */
async function load(loaded, kind, read) {
  const turn = loaded.turn += 1;
  const loading = loaded.loading = { isReading: false, again: () => load(loaded, kind, read) };
  batch(() => {
    loaded.isLoading.value = kind;
    loaded.failure.value = null;
  });
  // Answers fit to the packets only while these come in; and what grows a window needs the window as it is now.
  await (kind === "first" ? whenListening() : whenUpToDate());
  if (loaded.turn !== turn) return;
  loading.isReading = true;
  const recording = record();
  try {
    const place = await read();
    if (loaded.turn !== turn) return;
    batch(() => {
      loaded.messages.value = place(loaded.messages.peek());
      loaded.isFilled = true;
      recording.packets.forEach((packet) => change(loaded, packet));
      loaded.isLoading.value = null;
      placeSeparator(loaded);
    });
  } catch (error) {
    if (loaded.turn !== turn) return;
    batch(() => {
      loaded.isLoading.value = null;
      loaded.failure.value = error;
    });
  } finally {
    recording.stop();
  }
}

function change(changed, packet) {
  if (!changed.isFilled || chatIdOf(packet) !== changed.chatId) return;
  const before = changed.messages.peek();
  const messages = changeMessages(before, packet, { isAtEnd: changed.atEnd.peek(), userOf: knownUser });
  // A page that is on its way to the beginning must find it where it was.
  const isReadAtEnd = chatBeingRead.peek() === changed.chatId && changed.isLoading.peek() !== "older";
  const most = isReadAtEnd ? MAX_LOADED_MESSAGES : MAX_UNREAD_ABOVE_END;
  if (messages.length <= Math.max(most, before.length)) {
    changed.messages.value = messages;
  } else if (isReadAtEnd) {
    changed.messages.value = messages.slice(-most);
    changed.atBeginning.value = false;
  } else {
    changed.atEnd.value = false; // it stays where it is; the newest are loaded when somebody scrolls there
  }
}

/** Apply a packet to the windows. Called by applyPacket. */
export function changeConversations(packet) {
  const changed = conversations.get(chatIdOf(packet));
  if (changed) change(changed, packet);
}

/** An account is gone: #DELETED stands in for it. */
export function changeSenders(userId) {
  for (const changed of conversations.values()) changed.messages.value = withoutUser(changed.messages.peek(), userId);
}

function empty(emptied) {
  emptied.turn += 1;
  emptied.isFilled = false;
  emptied.loading = null;
  emptied.messages.value = [];
  emptied.isLoading.value = emptied.failure.value = emptied.newestReadSeparatorId.value = emptied.opening = null;
  emptied.atBeginning.value = emptied.atEnd.value = false;
}

/** A chat is gone. */
export function dropConversation(chatId) {
  const dropped = conversations.get(chatId);
  if (dropped) batch(() => empty(dropped));
  conversations.delete(chatId);
}

/** All chats are gone: another user may sign in. */
export function dropConversations() {
  batch(() => conversations.forEach(empty));
  conversations.clear();
  closeChat();
}

// Where unread messages begin

function placeSeparator(opened) {
  if (opened.opening === "due") {
    const chat = chats.peek().get(opened.chatId);
    if (!chat) return; // the lists are not there yet
    opened.opening = chat.unread_count ? { unread: chat.unread_count, newestId: chat.newest_id } : null;
  }
  if (!opened.opening || !opened.isFilled) return;
  const { unread, newestId } = opened.opening;
  const messages = opened.messages.peek();
  const last = messages.findLastIndex((message) => message.message_id <= newestId);
  const isNewestThere = messages.some((message) => message.message_id >= newestId) || opened.atEnd.peek();
  const first = last + 1 - unread;
  if (!isNewestThere || first < 0) return; // older pages may bring its place
  opened.newestReadSeparatorId.value = messages[first].message_id;
  opened.opening = null;
}

// Connection: see catch_up.js

/**
 * Packets come again. What is loaded is old: of the open chat it is read again, of others it is dropped.
 * @returns {Promise<() => void>} to be called when the lists are up to date, before what was kept aside is applied
 * @throws {import("./requests.js").ApiError}
 */
export async function refreshConversations() {
  const open = conversations.get(openId);
  batch(() => [...conversations.values()].filter((other) => other !== open).forEach(empty));
  noteListening();
  if (open?.isLoading.peek() && open.loading.isReading) open.loading.again(); // its answer would be too old
  else if (open?.failure.peek()) jumpToNewest(open.chatId);
  const before = open?.messages.peek();
  const page = open?.isFilled ? await reread(open) : null;
  return () => {
    if (page && open.messages.peek() === before) place(open, page); // else somebody has jumped meanwhile
    if (open) placeSeparator(open);
    noteUpToDate();
  };
}

function place(open, page) {
  const before = open.messages.peek();
  const wasAtEnd = open.atEnd.peek();
  let messages = keepSame(before, page.messages);
  open.atEnd.value = !page.isFull;
  if (!wasAtEnd) {
    // What lies behind is loaded when somebody goes there, as before.
    messages = messages.filter((message) => message.message_id <= before.at(-1).message_id);
    open.atEnd.value = !page.isFull && messages.length === page.messages.length;
  } else if (messages.length > MAX_LOADED_MESSAGES && open.atEnd.peek() && chatBeingRead.peek() === open.chatId) {
    messages = messages.slice(-MAX_LOADED_MESSAGES);
    open.atBeginning.value = false;
  } else if (messages.length > MAX_LOADED_MESSAGES) {
    messages = messages.slice(0, Math.max(MAX_LOADED_MESSAGES, before.length));
    open.atEnd.value = !page.isFull && messages.length === page.messages.length;
  }
  open.messages.value = messages;
}

async function reread({ chatId, messages }) {
  try {
    const first = messages.peek()[0]?.message_id ?? 1;
    return await readPage(chatId, { after: first - 1 }, LARGEST_PAGE_MESSAGES);
  } catch (error) {
    if (isPassing(error)) throw error;
    return null; // the chat is gone, as the lists will tell
  }
}

// Reading

/**
 * The view tells whether somebody sees the end of a chat: it is on screen, and the window has the focus. Then what is
 * unread is marked as read, now and as long as it is so.
 * @param {number} chatId @param {boolean} isAtEnd
 */
export function noteReading(chatId, isAtEnd) {
  if (isAtEnd) chatBeingRead.value = chatId;
  else if (chatBeingRead.peek() === chatId) chatBeingRead.value = null;
}

const readTurn = signal(0); // wakes the effect when the pause is over
let isPausing = false;

effect(() => {
  readTurn.value;
  const read = conversations.get(chatBeingRead.value);
  const unread = chats.value.get(chatBeingRead.value)?.unread_count;
  if (!unread || connection.value.status !== "online" || !read?.atEnd.value || isPausing) return;
  isPausing = true;
  setTimeout(() => {
    isPausing = false;
    readTurn.value += 1;
  }, READ_PAUSE_MS);
  ask("messages_read", { chat_id: read.chatId }).catch((error) => { // it is tried again after the pause
    if (!isPassing(error)) loadChat(read.chatId);
  });
});
