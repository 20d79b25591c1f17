/** The words of a message. */

import { html, useEffect, untracked, useLayoutEffect, useMemo, useRef, useState } from "../html.js";
import { language, t } from "../i18n.js";
import { fetchMarkdown, markdown } from "../later.js";
import { navigate } from "../route.js";
import { chats, me, user } from "../store/state.js";
import { copyText } from "./clipboard.js";
import { isEmojiOnly } from "./emoji_only.js";
import { markMentions } from "./mentions.js";

/** Texts beyond one of these are folded … */
const LONG_CHARACTERS = 3000;
const LONG_LINES = 45;
/** … to so much, so that what is hidden is worth the click. */
const FOLDED_CHARACTERS = 1800;
const FOLDED_LINES = 28;
/** How long a copy button says that it has copied. */
const COPIED_MS = 1500;

function linesOf(text, most) {
  let at = -1;
  for (let count = 0; count < most; count += 1) {
    at = text.indexOf("\n", at + 1);
    if (at < 0) return null;
  }
  return at; // where the line `most` ends
}

const isLong = (text) => text.length > LONG_CHARACTERS || linesOf(text, LONG_LINES) !== null;

/** The beginning of a long text, cut between words and not within a sign of two code units. */
function folded(text) {
  let end = Math.min(FOLDED_CHARACTERS, linesOf(text, FOLDED_LINES) ?? text.length);
  const blank = text.lastIndexOf(" ", end);
  if (blank > end / 2 && end === FOLDED_CHARACTERS) end = blank;
  if (/[\ud800-\udbff]/.test(text[end - 1])) end -= 1;
  return text.slice(0, end);
}

/** The names that a mention in a chat can mean. Read when it is drawn; who comes and goes later redraws nothing. */
const namesIn = (chatId) => untracked(() =>
  new Set((chats.value.get(chatId)?.member_ids ?? []).map((id) => user(id).user_name.toLowerCase())));

function copyCode(button) {
  copyText(button.closest(".code-block").querySelector("code").textContent.replace(/\n$/, "")).then((isCopied) => {
    if (!isCopied) return;
    button.textContent = t("common.copied");
    setTimeout(() => (button.textContent = t("message.copy")), COPIED_MS);
  });
}

function onClick(event) {
  const copy = event.target.closest(".code-copy");
  if (copy) copyCode(copy);
  const link = event.target.closest("a[href]");
  if (link && !link.target && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    navigate(new URL(link.href).hash);
  }
}

/**
 * A text as Markdown. What is made of it is put into the element as it is: preact has no part in it.
 * @param {{text: string, chatId: number}} props
 */
function Markdown({ text, chatId }) {
  const ref = useRef(null);
  const code = language.value;
  const formatter = markdown.value; // until it is there, texts are shown as they were typed
  useEffect(fetchMarkdown, []);
  useLayoutEffect(() => {
    const copy = document.createDocumentFragment();
    copy.append(formatter ? formatter.rendered(text).cloneNode(true) : text);
    if (text.includes("@")) markMentions(copy, namesIn(chatId), me.peek()?.user_name ?? "");
    copy.querySelectorAll(".code-copy").forEach((button) => (button.textContent = t("message.copy")));
    ref.current.replaceChildren(copy);
    // What scrolls sideways has to be reached by those who have no other way to scroll it.
    for (const box of ref.current.querySelectorAll("pre, .table-scroll")) {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    }
  }, [text, chatId, code, formatter]);
  return html`<div ref=${ref} class=${formatter ? "message-markdown" : "message-typed"} dir="auto"
    onClick=${onClick}></div>`;
}

/**
 * The text of a message. A long one is folded, unless it has grown before one's eyes: a bot's answer.
 * @param {{text: string, chatId: number}} props
 */
export function MessageText({ text, chatId }) {
  const wasLong = useMemo(() => isLong(text), []);
  const [isOpen, setOpen] = useState(!wasLong);
  const isFolded = !isOpen && isLong(text);
  if (isEmojiOnly(text)) return html`<p class="message-emoji">${text.trim()}</p>`;
  return html`
    <${Markdown} text=${isFolded ? folded(text) : text} chatId=${chatId} />
    ${wasLong && html`
      <button type="button" class="message-fold" tabindex="-1" aria-expanded=${isFolded ? "false" : "true"}
        onClick=${() => setOpen(isFolded)}>
        ${t(isFolded ? "message.show_more" : "message.show_less")}
      </button>
    `}
  `;
}
