/** What can be done with a message. */

import { writtenText } from "../chat_preview.js";
import { systemText, t } from "../i18n.js";
import { attempt } from "../people/action.js";
import { navigate } from "../route.js";
import { deleteForMe, recallMessage } from "../store/messages.js";
import { discard, retry } from "../store/outbox.js";
import { chats } from "../store/state.js";
import { confirmDialog } from "../ui/index.js";
import { copyText } from "./clipboard.js";
import { startEdit, startReply } from "./composer_state.js";
import { openReaders } from "./readers.js";
import { isSystem } from "./timeline.js";

/** The address of a message in this client. */
const linkTo = ({ chat_id: chatId, message_id: id }) =>
  `${location.origin}${location.pathname}#/chats/${chatId}/messages/${id}`;

async function recall(message) {
  const isSure = await confirmDialog({
    title: t("message.recall_title"),
    text: t("message.recall_text"),
    confirm: t("message.recall_confirm"),
    danger: true,
  });
  if (isSure) await attempt(() => recallMessage(message.message_id));
}

async function hide(message) {
  const isSure = await confirmDialog({
    title: t("message.hide_title"),
    text: t("message.hide_text"),
    confirm: t("message.hide_confirm"),
    danger: true,
  });
  if (isSure) await attempt(() => deleteForMe(message.message_id));
}

function ofSending({ message }) {
  const { sending } = message;
  const hasFailed = sending.status === "failed";
  const copy = message.message && {
    id: "copy", label: t("message.copy_text"), icon: "copy", hint: "C",
    run: () => copyText(message.message, t("common.copied")),
  };
  return [
    hasFailed && !sending.is_held && {
      id: "retry", label: t("message.retry"), icon: "refresh", run: () => retry(sending.client_message_id),
    },
    copy,
    {
      id: "discard", label: t(hasFailed ? "message.discard" : "message.do_not_send"), icon: "trash", danger: true,
      hint: "Del", run: () => discard(sending.client_message_id),
    },
  ];
}

/**
 * The actions of a row, as entries of a menu: each with an `id` ("reply", "copy", "link", "original", "edit",
 * "readers", "hide", "recall"; "retry", "discard" of what is not sent), `label`, `icon`, `hint` (its key) and
 * `run(element)`, which wants the element of the message.
 * @param {{kind: string, message: object, isOwn: boolean}} row of the timeline
 */
export function actionsOf(row) {
  const { message, kind, isOwn } = row;
  if (message.sending) return ofSending(row).filter(Boolean);
  const isSpoken = kind === "message";
  const canWrite = chats.peek().has(message.chat_id);
  const text = isSystem(message) ? systemText(message) : writtenText(message);
  return [
    isSpoken && canWrite && {
      id: "reply", label: t("message.reply"), icon: "reply", hint: "R", run: () => startReply(message),
    },
    isSpoken && isOwn && canWrite && {
      id: "edit", label: t("message.edit"), icon: "edit", hint: "E", run: () => startEdit(message),
    },
    kind !== "recalled" && text && {
      id: "copy", label: t("message.copy_text"), icon: "copy", hint: "C", run: () => copyText(text, t("common.copied")),
    },
    {
      id: "link", label: t("message.copy_link"), icon: "link",
      run: () => copyText(linkTo(message), t("common.copied")),
    },
    isSpoken && message.reply_to_id !== null && {
      id: "original", label: t("message.go_to_original"), icon: "up",
      run: () => navigate(`#/chats/${message.chat_id}/messages/${message.reply_to_id}`, { replace: true }),
    },
    isSpoken && {
      id: "readers", label: t("message.readers"), icon: "eye", run: (element) => openReaders(message, element),
    },
    canWrite && {
      id: "hide", label: t("message.hide"), icon: "trash", hint: isSpoken && isOwn ? null : "Del", danger: true,
      run: () => hide(message),
    },
    isSpoken && isOwn && {
      id: "recall", label: t("message.recall"), icon: "undo", hint: "Del", danger: true, run: () => recall(message),
    },
  ].filter(Boolean);
}

/** The actions that a key starts while a message has the focus. */
const ACTIONS_OF_KEY = { r: ["reply"], e: ["edit"], c: ["copy"], Delete: ["discard", "recall", "hide"] };

/**
 * The action that a key starts, or undefined.
 * @param {object} row @param {KeyboardEvent} event
 */
export function actionOfKey(row, event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return undefined;
  // By the key's place where another script is typed: "к" lies on R.
  const key = /^Key[A-Z]$/.test(event.code) ? event.code.slice(3).toLowerCase() : event.key;
  const all = actionsOf(row);
  for (const id of ACTIONS_OF_KEY[key] ?? []) {
    const found = all.find((action) => action.id === id);
    if (found) return found;
  }
  return undefined;
}
