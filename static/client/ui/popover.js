import { html, useEffect, useLayoutEffect, useRef } from "../html.js";

/** What stays free between a popover and the edge of the window, and between it and its anchor. */
const EDGE_PX = 8;
const GAP_PX = 4;

/** Where the popover goes, in px of the window: at the wanted side, or at the other one if there is more room. */
function placed(anchor, box, placement) {
  const [side, align] = placement.split("-");
  const width = document.documentElement.clientWidth;
  const height = window.innerHeight;
  const isRtl = getComputedStyle(document.documentElement).direction === "rtl";
  const below = height - anchor.bottom;
  const isBelow = side === "bottom" ? below >= box.height + GAP_PX + EDGE_PX || below >= anchor.top : false;
  const isAbove = side === "top" && anchor.top >= box.height + GAP_PX + EDGE_PX;
  const top = isBelow || (side === "top" && !isAbove) ? anchor.bottom + GAP_PX : anchor.top - GAP_PX - box.height;
  const left = (align === "end") === isRtl ? anchor.left : anchor.right - box.width;
  const clamp = (value, room) => Math.max(EDGE_PX, Math.min(value, room - EDGE_PX));
  return { left: clamp(left, width - box.width), top: clamp(top, height - box.height) };
}

/**
 * A box over the page beside something. It is open as long as it is rendered. It lies above everything, dialogs too,
 * and nothing cuts it off.
 *
 * @param {object} props
 * @param {Element|{x: number, y: number}} props.anchor an element, or a point in px of the window
 * @param {() => void} props.onClose by Escape or a click outside: take it off the page
 * @param {"bottom-start"|"bottom-end"|"top-start"|"top-end"} [props.placement]
 */
export function Popover({ anchor, onClose, placement = "bottom-end", class: className = "", children, ...rest }) {
  const ref = useRef(null);
  useLayoutEffect(() => {
    const popover = ref.current;
    const before = document.activeElement;
    popover.showPopover();
    const place = () => {
      const isPoint = !(anchor instanceof Element);
      const around = isPoint ? new DOMRect(anchor.x, anchor.y, 0, 0) : anchor.getBoundingClientRect();
      const { left, top } = placed(around, popover.getBoundingClientRect(), placement);
      Object.assign(popover.style, { left: `${left}px`, top: `${top}px` });
    };
    place();
    const observer = new ResizeObserver(place);
    observer.observe(popover);
    window.addEventListener("resize", place);
    return () => {
      observer.disconnect();
      window.removeEventListener("resize", place);
      // The focus must not fall out of the page with what it was in.
      const isLost = popover.contains(document.activeElement) || document.activeElement === document.body;
      if (isLost && before?.isConnected) {
        before.focus({ preventScroll: true });
      }
    };
  }, [anchor, placement]);
  const closeNow = useRef(onClose);
  closeNow.current = onClose;
  useEffect(() => {
    const onToggle = (event) => event.newState === "closed" && closeNow.current();
    ref.current.addEventListener("toggle", onToggle);
    return () => ref.current?.removeEventListener("toggle", onToggle);
  }, []);
  return html`<div ...${rest} ref=${ref} popover="auto" class=${`popover ${className}`}>${children}</div>`;
}
