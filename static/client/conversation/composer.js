/** Where one writes. */

import { html, useEffect, useId, useLayoutEffect, useRef, useState } from "../html.js";
import { writtenText } from "../chat_preview.js";
import { formatNumber, t } from "../i18n.js";
import { attempt } from "../people/action.js";
import { enterSends } from "../preferences.js";
import { conversation } from "../store/conversations.js";
import { draft, setDraft } from "../store/drafts.js";
import { editMessage, noteTyping } from "../store/messages.js";
import { pending, sendMessage } from "../store/outbox.js";
import { me } from "../store/state.js";
import { IconButton, useShortcut } from "../ui/index.js";
import { CompletionList, useCompletion } from "./completion.js";
import { ComposerBar, FilesToSend } from "./composer_parts.js";
import { addFiles, composer, startEdit, stopReplyAndEdit } from "./composer_state.js";
import { EmojiButton } from "./emoji_button.js";
import { rememberFiles } from "./sent.js";
import { isHidden } from "./timeline.js";

/** The longest text that the server takes (Limits, `content`), in code points. */
const TEXT_MAX_CHARACTERS = 20_000;
/** From so many left on they are counted. */
const COUNTED_CHARACTERS = 1000;
/** A text takes so much of the window's height at most. */
const HEIGHT_MAX_SHARE = 0.4;

/** What Safari calls the Enter that ends a composition of Chinese, behind its end. */
const COMPOSING_KEY = 229;

const hasFinePointer = matchMedia("(pointer: fine)");

/** Code points; counted only where there may be too many. */
const lengthOf = (text) =>
  text.length <= TEXT_MAX_CHARACTERS - COUNTED_CHARACTERS ? text.length : [...text].length;

/** Without empty lines around it; blanks before the first word mean something in Markdown. */
const tidy = (text) => text.replace(/^(?:[^\S\n]*\n)+/, "").trimEnd();

function Counter({ length }) {
  const left = TEXT_MAX_CHARACTERS - length;
  if (left >= COUNTED_CHARACTERS) return null;
  return html`
    <span class=${`composer-counter ${left < 0 ? "composer-too-long" : ""}`} role=${left < 0 ? "alert" : undefined}>
      ${left < 0 ? t("composer.too_long", { count: -left }) : formatNumber(left)}
    </span>
  `;
}

/** The button does not take the focus from the text: the keyboard of a phone would go and come again. */
const keepFocus = (event) => event.preventDefault();

/** The newest own message that can be edited, or undefined: while a newer one is still being sent, that one is meant. */
const lastOwn = (chatId) => (pending(chatId).some(({ status }) => status !== "failed")
  ? undefined
  : conversation(chatId).messages.peek().findLast((message) =>
    message.sender.id === me.peek()?.id && !message.deleted && !isHidden(message)));

function useListedKeys() {
  const group = t("shortcuts.composer");
  useShortcut("enter", null, t("composer.send"), group);
  useShortcut("shift+enter", null, t("shortcuts.new_line"), group);
  useShortcut("arrowup", null, t("shortcuts.edit_last"), group);
  useShortcut("escape", null, t("shortcuts.cancel"), group);
}

/** The text: the chat's draft, or, while a message is edited, that one's. */
function useText(chatId, edited) {
  const [text, setText] = useState(() => draft(chatId));
  const editedId = edited?.message_id ?? null;
  const lastId = useRef(null);
  useLayoutEffect(() => {
    if (lastId.current === editedId) return;
    lastId.current = editedId;
    setText(edited ? writtenText(edited) : draft(chatId));
  }, [editedId]);
  const change = (changed) => {
    setText(changed);
    if (!edited) setDraft(chatId, changed);
  };
  return [text, change];
}

/** As tall as the text, up to a bound. */
function useHeight(field, text) {
  useLayoutEffect(() => {
    const fit = () => {
      if (!field.current) return; // the chat is gone
      const { style } = field.current;
      style.height = "auto";
      style.height = `${Math.min(field.current.scrollHeight, window.innerHeight * HEIGHT_MAX_SHARE)}px`;
    };
    fit();
    window.addEventListener("resize", fit);
    return () => window.removeEventListener("resize", fit);
  }, [text]);
}

/**
 * The composer of a chat.
 * @param {object} props
 * @param {object} props.chat
 * @param {boolean} props.isGone the chat is there no more: nothing can be written
 */
export function Composer({ chat, isGone }) {
  const chatId = chat.chat_id;
  const state = composer(chatId);
  const replyTo = state.replyTo.value;
  const edited = state.edited.value;
  const files = state.files.value;
  const [text, setText] = useText(chatId, edited);
  const [caret, setCaret] = useState(0);
  const [isBusy, setBusy] = useState(false);
  const field = useRef(null);
  const picker = useRef(null);
  const nextCaret = useRef(null);
  const listId = useId();
  useHeight(field, text);
  useListedKeys();

  const length = lengthOf(tidy(text));
  const isTooLong = length > TEXT_MAX_CHARACTERS;
  const canSend = !isGone && !isTooLong && !isBusy && (length > 0 || (files.length > 0 && !edited));

  const change = (changed, at) => {
    setText(changed);
    setCaret(at);
    if (changed.trim() && !edited) noteTyping(chatId);
  };
  const put = (changed, at) => {
    nextCaret.current = at; // the field itself would put it behind everything
    change(changed, at);
  };
  useLayoutEffect(() => {
    if (nextCaret.current === null) return;
    field.current.setSelectionRange(nextCaret.current, nextCaret.current);
    nextCaret.current = null;
  });
  const completion = useCompletion({ chat, text, caret, onChange: put });

  const focus = () => {
    field.current?.focus();
    field.current?.setSelectionRange(field.current.value.length, field.current.value.length);
  };
  useEffect(() => {
    state.focus = focus;
    if (hasFinePointer.matches) focus();
    return () => (state.focus = () => {});
  }, [chatId]);

  const send = async () => {
    if (!canSend) return;
    const content = tidy(text);
    if (edited) {
      setBusy(true);
      const isDone = content === writtenText(edited) || await attempt(() => editMessage(edited.message_id, content));
      setBusy(false);
      if (isDone && state.edited.peek() === edited) stopReplyAndEdit(chatId);
    } else {
      const toSend = files.map(({ file }) => file);
      const id = sendMessage(chatId, { content, reply_to: replyTo?.message_id ?? null, files: toSend });
      if (toSend.length) rememberFiles(id, toSend);
      change("", 0);
      state.files.value = [];
      stopReplyAndEdit(chatId);
    }
    field.current?.focus();
  };

  const onKeyDown = (event) => {
    if (event.isComposing || event.keyCode === COMPOSING_KEY || completion.onKeyDown(event)) return;
    const isCommand = event.ctrlKey || event.metaKey;
    const sendsByEnter = enterSends.value && hasFinePointer.matches;
    if (event.key === "Enter" && !event.shiftKey && !event.altKey && (isCommand || sendsByEnter)) {
      event.preventDefault();
      send();
    } else if (event.key === "Escape" && (edited || replyTo)) {
      event.preventDefault();
      stopReplyAndEdit(chatId);
    } else if (event.key === "ArrowUp" && !text && !edited && !event.shiftKey && !isCommand && !event.altKey) {
      const message = lastOwn(chatId);
      if (message) {
        event.preventDefault();
        startEdit(message);
      }
    }
  };

  const onPaste = (event) => {
    const pasted = [...event.clipboardData.files];
    // A table copied out of an office comes as text and as its picture: the text is meant.
    if (!pasted.length || event.clipboardData.getData("text/plain")) return;
    event.preventDefault();
    addFiles(chatId, pasted);
  };

  const pickFiles = ({ currentTarget: input }) => {
    addFiles(chatId, input.files);
    input.value = ""; // the same file can be chosen again
  };

  const addEmoji = (emoji) => {
    const { selectionStart: from, selectionEnd: to } = field.current;
    put(text.slice(0, from) + emoji + text.slice(to), from + emoji.length);
    field.current.focus();
  };

  const noteCaret = ({ currentTarget: { selectionStart, selectionEnd } }) =>
    setCaret(selectionStart === selectionEnd ? selectionStart : -1);

  if (isGone) return html`<p class="composer composer-gone" role="status">${t("composer.gone")}</p>`;
  const list = completion.list;
  return html`
    <form class="composer" onSubmit=${(event) => {
      event.preventDefault();
      send();
    }}>
      ${list && html`<${CompletionList} id=${listId} ...${list} />`}
      ${(edited ?? replyTo) && html`
        <${ComposerBar} message=${edited ?? replyTo} isEdit=${Boolean(edited)} onCancel=${() => {
          stopReplyAndEdit(chatId);
          focus();
        }} />
      `}
      ${!edited && html`<${FilesToSend} chatId=${chatId} files=${files} />`}
      <div class="composer-row">
        <input ref=${picker} type="file" multiple hidden onChange=${pickFiles} />
        <${IconButton} icon="attach" label=${t("composer.attach")} disabled=${Boolean(edited)}
          onClick=${() => picker.current.click()} />
        <div class="composer-field">
          <textarea ref=${field} rows="1" dir="auto" value=${text} aria-label=${t("composer.label")}
            placeholder=${t("composer.placeholder")} aria-autocomplete="list" autocomplete="off" spellcheck=${true}
            enterkeyhint=${hasFinePointer.matches ? "send" : "enter"} aria-controls=${list ? listId : undefined}
            aria-activedescendant=${list ? `${listId}-${list.index}` : undefined}
            onInput=${({ currentTarget }) => change(currentTarget.value, currentTarget.selectionStart)}
            onKeyDown=${onKeyDown} onSelect=${noteCaret} onPaste=${onPaste}></textarea>
          <${EmojiButton} onPick=${addEmoji} />
        </div>
        <${IconButton} type="submit" icon=${edited ? "check" : "send"} variant="primary" class="composer-send"
          label=${edited ? t("common.save") : t("composer.send")} disabled=${!canSend} busy=${isBusy}
          onMouseDown=${keepFocus} />
      </div>
      <${Counter} length=${length} />
    </form>
  `;
}
