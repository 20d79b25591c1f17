/** Where the list of a chat stands: at the opening, after jumps, and while pages come in at its edges. */

import { signal, untracked, useEffect, useLayoutEffect, useMemo, useRef, useSignalEffect } from "../html.js";
import { t } from "../i18n.js";
import { route } from "../route.js";
import { conversation, jumpTo, jumpToNewest, loadNewer, loadOlder, noteReading } from "../store/conversations.js";
import { showToast } from "../ui/index.js";
import { hasAttention } from "./attention.js";
import { rememberedPlace, rememberPlace } from "./positions.js";
import { ScrollKeeper } from "./scroll_keeper.js";
import { isHidden, keyOf } from "./timeline.js";

/** The next page is loaded when so many screens are left before the edge of what is there. */
const EDGE_SCREENS = 1.5;
/** Where the first unread message comes to lie, as a share of the view from its upper edge. */
const UNREAD_AT = 0.2;
/** How long a message that was jumped to is marked. */
const HIGHLIGHT_MS = 2200;

function highlight(element) {
  element.classList.add("message-highlighted");
  setTimeout(() => element.classList.remove("message-highlighted"), HIGHLIGHT_MS);
}

const messageInAddress = (chatId) => {
  const { chatId: toChat, messageId } = route.value;
  return toChat === chatId ? messageId : null;
};

/**
 * Keep the place of a list of messages, and go where it is wanted.
 * @param {number} chatId
 * @param {{scroller: object, content: object}} elements refs
 * @param {() => void} onArrive a jump that the address asked for has begun: it may be the chat's own address again
 * @returns {{isAtEnd: import("@preact/signals").ReadonlySignal<boolean>, goToEnd: () => void}}
 */
export function useListPlace(chatId, { scroller, content }, onArrive) {
  const loaded = conversation(chatId);
  const isAtEnd = useMemo(() => signal(true), []);
  const keeper = useRef(null);
  /** Where to go as soon as that is loaded and drawn: {isFirst}, {messageId} or {isEnd}; null: stay. */
  const goal = useRef(null);
  goal.current ??= keeper.current ? null : { isFirst: true, messageId: untracked(() => messageInAddress(chatId)) };

  const loadAtEdges = () => {
    const { scrollTop, clientHeight } = scroller.current;
    if (goal.current || loaded.isLoading.peek() || loaded.error.peek()) return;
    if (scrollTop < EDGE_SCREENS * clientHeight && !loaded.atBeginning.peek()) loadOlder(chatId);
    else if (keeper.current.toEndPx < EDGE_SCREENS * clientHeight && !loaded.atEnd.peek()) loadNewer(chatId);
  };

  const settleAtMessage = (id) => {
    const message = loaded.messages.peek().find((other) => other.message_id === id);
    const element = message && keeper.current.row(keyOf(message));
    if (!element && message && !isHidden(message)) return; // it will be drawn in a moment
    goal.current = null;
    if (element) {
      const hadFocus = scroller.current.contains(document.activeElement);
      keeper.current.toElement(element, 0.5);
      highlight(element);
      if (hadFocus) element.focus({ preventScroll: true });
    } else {
      showToast(t("message.gone"));
      keeper.current.restore();
    }
  };

  const settleAtOpening = () => {
    goal.current = null;
    const place = rememberedPlace(chatId);
    const mark = content.current.querySelector(".unread-mark");
    if (place && keeper.current.resume(place)) return;
    if (mark) keeper.current.toElement(mark, UNREAD_AT);
    else keeper.current.toEnd();
  };

  const settle = () => {
    const isThere = content.current.querySelector(".message") && loaded.isLoading.peek() !== "first";
    if (!goal.current || !isThere) keeper.current.restore();
    else if (goal.current.messageId) settleAtMessage(goal.current.messageId);
    else if (goal.current.isFirst) settleAtOpening();
    else if (loaded.atEnd.peek()) {
      goal.current = null;
      keeper.current.toEnd();
    }
  };

  useLayoutEffect(() => {
    const made = new ScrollKeeper(scroller.current, content.current, {
      isEndLoaded: () => loaded.atEnd.peek(),
      onMove: () => {
        isAtEnd.value = made.isAtEnd;
        if (goal.current) return;
        rememberPlace(chatId, made.place);
        loadAtEdges();
      },
    });
    keeper.current = made;
    return () => made.stop();
  }, []);
  useLayoutEffect(settle);
  useEffect(loadAtEdges);

  const goToEnd = () => {
    if (loaded.atEnd.peek()) {
      goal.current = null;
      keeper.current.toEnd(true);
    } else {
      goal.current = { isEnd: true };
      jumpToNewest(chatId);
    }
  };

  // The first jump is that of the opening, which has loaded what it needs.
  const isOpening = useRef(true);
  useSignalEffect(() => {
    const messageId = messageInAddress(chatId);
    if (messageId !== null && !isOpening.current) {
      untracked(() => {
        const wanted = goal.current = { messageId };
        jumpTo(chatId, messageId).catch(() => {
          if (loaded.error.peek() && goal.current === wanted) goal.current = null; // it stands over the list
        });
        settle();
      });
    }
    isOpening.current = false;
    if (messageId !== null) queueMicrotask(onArrive);
  });

  useSignalEffect(() => {
    const isSeen = isAtEnd.value && loaded.isLoading.value !== "first" && hasAttention.value;
    noteReading(chatId, isSeen && loaded.atEnd.value);
  });
  useEffect(() => () => noteReading(chatId, false), []);

  return { isAtEnd, goToEnd };
}
