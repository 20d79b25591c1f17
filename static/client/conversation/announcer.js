/** Tells screen readers of new messages of others; history that is loaded is not read out. */

import { html, useRef, useSignal, useSignalEffect } from "../html.js";
import { plainText, writtenText } from "../chat_preview.js";
import { systemText, t } from "../i18n.js";
import { conversation } from "../store/conversations.js";
import { displayName, me } from "../store/state.js";
import { isSystem } from "./timeline.js";

/** A message is told of when it has not changed for so long: the answers of bots grow. */
const SETTLED_MS = 1200;
/** More at once are only counted. */
const READ_OUT_MAX = 3;

function words(message) {
  if (isSystem(message)) return systemText(message);
  const text = plainText(writtenText(message)) || (message.files ?? []).map(({ name }) => name).join(", ");
  return t("message.announced", { name: displayName(message.sender.id), text });
}

/** @param {{chatId: number}} props */
export function Announcer({ chatId }) {
  const { messages, atEnd, isLoading } = conversation(chatId);
  const said = useSignal("");
  const lastId = useRef(null); // up to here everything was told of, or was there before
  const timer = useRef(null);

  useSignalEffect(() => {
    const newestId = messages.value.at(-1)?.message_id ?? 0;
    if (!atEnd.value || isLoading.value === "first") {
      lastId.current = null;
      return;
    }
    lastId.current ??= newestId;
    if (newestId <= lastId.current) return;
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      const news = messages.peek().filter((message) =>
        message.message_id > lastId.current && message.sender.id !== me.peek()?.id && !message.deleted);
      lastId.current = messages.peek().at(-1)?.message_id ?? 0;
      if (news.length > READ_OUT_MAX) said.value = t("message.announced_many", { count: news.length });
      else if (news.length) said.value = news.map(words).join("\n");
    }, SETTLED_MS);
  });

  return html`<div class="visually-hidden" aria-live="polite">${said.value}</div>`;
}
