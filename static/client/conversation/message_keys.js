/**
 * The keyboard in the list: the arrows go from message to message, keys and a menu act on the one that has the focus.
 * What is inside a message is a stop of the Tab key only while the message has the focus: else there would be hundreds
 * between the list and the composer.
 */

import { useLayoutEffect, useRef } from "../html.js";
import { t } from "../i18n.js";
import { useShortcut } from "../ui/index.js";
import { openActions } from "./message.js";
import { actionOfKey } from "./message_actions.js";

const INNER_STOPS = "a[href], button";

function setStops(message, tabIndex) {
  message?.querySelectorAll(INNER_STOPS).forEach((element) => {
    if (!element.closest(".message-toolbar")) element.tabIndex = tabIndex;
  });
}

function useListedKeys() {
  const group = t("shortcuts.messages");
  useShortcut("arrowup", null, t("shortcuts.between_messages"), group);
  useShortcut("enter", null, t("shortcuts.message_menu"), group);
  useShortcut("r", null, t("message.reply"), group);
  useShortcut("c", null, t("message.copy_text"), group);
  useShortcut("e", null, t("message.edit"), group);
  useShortcut("delete", null, t("shortcuts.delete_message"), group);
}

/** Where the focus goes when a message that had it is gone: to what stands in its place, or to the next one. */
function heir(gone, scroller) {
  const { key, messageId } = gone.dataset;
  const all = [...scroller.querySelectorAll(".message")];
  return all.find((message) => message.dataset.key === key) ??
    all.find((message) => Number(message.dataset.messageId) > Number(messageId)) ?? all.at(-1);
}

/** The last of the messages that are wholly in sight, or at least one that is in part. */
function lastInSight(messages, scroller) {
  const { top, bottom } = scroller.getBoundingClientRect();
  const inSight = messages.filter((message) => {
    const box = message.getBoundingClientRect();
    return box.bottom > top && box.top < bottom;
  });
  return inSight.findLast((message) => message.getBoundingClientRect().bottom <= bottom + 1) ?? inSight.at(-1);
}

/**
 * The handlers of the list's element.
 * @param {object} list
 * @param {{current: HTMLElement}} list.scroller
 * @param {{current: Map<string, object>}} list.rows of the timeline, by key
 * @param {() => void} list.goToEnd
 * @param {() => void} list.onLeave
 */
export function useMessageKeys({ scroller, rows, goToEnd, onLeave }) {
  useListedKeys();
  const focused = useRef(null);
  /** Letters act only on a message that the keyboard has gone to; behind a click they are meant for the composer. */
  const byKeyboard = useRef(false);

  useLayoutEffect(() => {
    const isLost = focused.current && !focused.current.isConnected && document.activeElement === document.body;
    if (isLost) (heir(focused.current, scroller.current) ?? scroller.current).focus({ preventScroll: true });
  });

  const move = (message, event) => {
    const all = [...scroller.current.querySelectorAll(".message")];
    const at = all.indexOf(message);
    const targets = {
      ArrowUp: () => (at < 0 ? lastInSight(all, scroller.current) : all[at - 1]),
      ArrowDown: () => (at < 0 ? lastInSight(all, scroller.current) : all[at + 1]),
      Home: () => all[0],
      End: () => {
        goToEnd();
        return all.at(-1);
      },
    };
    if (!targets[event.key]) return false;
    event.preventDefault();
    if (event.key === "ArrowDown" && at === all.length - 1) onLeave();
    const target = targets[event.key]();
    target?.focus({ preventScroll: event.key === "End" });
    target?.scrollIntoView({ block: "nearest" });
    return true;
  };

  const onKeyDown = (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    const message = event.target.closest(".message");
    const isOnInner = event.target !== message && event.target !== scroller.current;
    if (event.key === "Escape") {
      if (document.querySelector(":popover-open")) return; // it is meant
      event.preventDefault();
      if (isOnInner && message) message.focus();
      else onLeave();
      return;
    }
    if (isOnInner) return;
    if (!event.ctrlKey && !event.metaKey && !event.altKey && move(message, event)) {
      byKeyboard.current = true;
      return;
    }
    const row = message && byKeyboard.current && rows.current.get(message.dataset.key);
    if (row && event.key === "Enter") {
      event.preventDefault();
      openActions(row, message);
    } else if (row && actionOfKey(row, event)) {
      event.preventDefault();
      actionOfKey(row, event).run(message);
    } else if (event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey) {
      onLeave(); // the character itself arrives in the composer
    }
  };

  const onFocusIn = (event) => {
    const message = event.target.closest(".message");
    if (message === focused.current) return;
    setStops(focused.current, -1);
    setStops(message, 0);
    focused.current = message;
  };

  const onPointerDown = () => (byKeyboard.current = false);

  return { onKeyDown, onFocusIn, onPointerDownCapture: onPointerDown };
}
