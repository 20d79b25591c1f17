/** The menu of a message: by a right click, by the Menu key, by a long press. */

import { useRef } from "../html.js";
import { openActions } from "./message.js";

/** So long a finger has to rest … */
const LONG_PRESS_MS = 450;
/** … within so much. */
const LONG_PRESS_MOVE_PX = 10;
const RIGHT_BUTTON = 2;

/** Whether the browser's own menu is of more use: on links, on what is selected, in players. */
function wantsBrowserMenu(target, message) {
  if (target.closest("a[href], video, audio")) return true;
  const selection = getSelection();
  return !selection.isCollapsed && selection.containsNode(message, true);
}

/**
 * The handlers of the list's element.
 * @param {{rows: {current: Map<string, object>}}} list `rows` of the timeline, by key
 */
export function useMessageMenu({ rows }) {
  const press = useRef(null); // of a finger: {message, timer, x, y, isLong}

  const open = (message, at) => {
    const row = rows.current.get(message.dataset.key);
    if (row) openActions(row, message, at ? { at } : {});
  };

  const endPress = () => {
    clearTimeout(press.current?.timer);
    press.current?.message.classList.remove("message-pressed");
    press.current = null;
  };

  const notePress = () => {
    press.current.isLong = true;
    press.current.message.classList.add("message-pressed");
  };

  const onContextMenu = (event) => {
    const message = event.target.closest(".message");
    const isByKey = event.button !== RIGHT_BUTTON && event.pointerType !== "touch";
    if (!message || (!isByKey && wantsBrowserMenu(event.target, message))) return;
    event.preventDefault();
    if (press.current) notePress(); // some browsers tell of a long press themselves
    else open(message, isByKey ? null : { x: event.clientX, y: event.clientY });
  };

  const onTouchStart = (event) => {
    endPress();
    const message = event.target.closest(".message");
    if (!message || event.touches.length > 1 || event.target.closest("a[href], video, audio")) return;
    const { clientX: x, clientY: y } = event.touches[0];
    press.current = { message, x, y, isLong: false, timer: setTimeout(notePress, LONG_PRESS_MS) };
  };

  const onTouchMove = (event) => {
    const { x, y } = press.current ?? {};
    const { clientX, clientY } = event.touches[0];
    if (press.current && Math.hypot(clientX - x, clientY - y) > LONG_PRESS_MOVE_PX) endPress();
  };

  const onTouchEnd = (event) => {
    const { isLong, message, x, y } = press.current ?? {};
    endPress();
    if (!isLong) return;
    event.preventDefault(); // it is no click on what lies below
    open(message, { x, y }); // not before the finger is gone: its going would close the menu
  };

  return { onContextMenu, onTouchStart, onTouchMove, onTouchEnd, onTouchCancel: endPress };
}
