/** What a chat's composer has besides its text: what is answered or edited, and the files to be sent. */

import { computed, effect, signal } from "../html.js";
import { config } from "../config.js";
import { formatSize, t } from "../i18n.js";
import { me } from "../store/state.js";
import { showToast } from "../ui/index.js";

/** The most files that a message can have (the server's FILES_MAX_COUNT). */
const FILES_MAX_COUNT = 10;

const composers = new Map();
let lastFileId = 0;

const userId = computed(() => me.value?.id);
effect(() => {
  userId.value; // another user shall find nothing of this one's
  composers.clear();
});

/**
 * The composer of a chat: signals `replyTo` and `edited` (a ChatMessage.Detailed or null; never both), `files`
 * ([{id, file: File}]), and `focus()`, which does nothing while the chat is not open.
 * @param {number} chatId
 */
export function composer(chatId) {
  let known = composers.get(chatId);
  if (!known) {
    known = { replyTo: signal(null), edited: signal(null), files: signal([]), focus: () => {} };
    composers.set(chatId, known);
  }
  return known;
}

/** Answer a message. */
export function startReply(message) {
  const { replyTo, edited, focus } = composer(message.chat_id);
  edited.value = null;
  replyTo.value = message;
  focus();
}

/** Edit an own message. */
export function startEdit(message) {
  const { replyTo, edited, focus } = composer(message.chat_id);
  replyTo.value = null;
  edited.value = message;
  focus();
}

/** Neither answer nor edit. */
export function stopReplyAndEdit(chatId) {
  const { replyTo, edited } = composer(chatId);
  replyTo.value = edited.value = null;
}

/**
 * Put files beside the text. Those that the server would refuse are told of and left out.
 * @param {number} chatId
 * @param {Iterable<File>} files
 */
export function addFiles(chatId, files) {
  const { files: kept, focus } = composer(chatId);
  const all = [...files];
  const fitting = all.filter((file) => file.size <= config.file_max_bytes);
  if (fitting.length < all.length) {
    const [name] = all.filter((file) => !fitting.includes(file)).map((file) => file.name);
    showToast(t("composer.file_too_large", { name, size: formatSize(config.file_max_bytes) }), { kind: "error" });
  }
  const free = FILES_MAX_COUNT - kept.peek().length;
  if (fitting.length > free) {
    showToast(t("composer.too_many_files", { count: FILES_MAX_COUNT }), { kind: "error" });
  }
  const added = fitting.slice(0, free).map((file) => ({ id: lastFileId += 1, file }));
  if (added.length) kept.value = [...kept.peek(), ...added];
  focus();
}

/** Take a file away again. */
export function removeFile(chatId, id) {
  const { files } = composer(chatId);
  files.value = files.peek().filter((kept) => kept.id !== id);
}
