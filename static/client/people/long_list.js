import { html, useEffect, useLayoutEffect, useRef, useState } from "../html.js";

/** So many rows are drawn at first, and again each time that the end of them comes near. */
const STEP_ROWS = 50;
/** … that is, within this distance below what is seen, in px. */
const AHEAD_PX = 600;

/** What scrolls around lists: a margin counts only for the element that scrolls. */
const SCROLLERS = ".pane-content, .details-content, .dialog-body, [data-scroller]";

/**
 * A list whose rows are drawn as one scrolls towards them, so that hundreds of them do not hold up the page.
 *
 * @template T
 * @param {object} props all others go to the `<ul>`
 * @param {T[]} props.items
 * @param {(item: T, index: number) => any} props.row gives an `<li>` with a key
 */
export function LongList({ items, row, ...rest }) {
  const [count, setCount] = useState(STEP_ROWS);
  const end = useRef(null);
  const isCut = count < items.length;
  useEffect(() => {
    if (!isCut) {
      return undefined;
    }
    const observer = new IntersectionObserver(
      ([entry]) => entry.isIntersecting && setCount(count + STEP_ROWS),
      { root: end.current.closest(SCROLLERS), rootMargin: `0px 0px ${AHEAD_PX}px` },
    );
    observer.observe(end.current);
    return () => observer.disconnect();
  }, [count, isCut]);
  return html`
    <ul ...${rest}>
      ${items.slice(0, count).map(row)}
      ${isCut && html`<li key="end" ref=${end} aria-hidden="true" class="long-list-end"></li>`}
    </ul>
  `;
}

/**
 * Up, Down, Home and End move the focus among the rows (`[data-row]`) of a list: use it as onKeyDown of what is around.
 *
 * @param {KeyboardEvent} event
 */
export function moveAmongRows(event) {
  const isVertical = event.key === "ArrowDown" || event.key === "ArrowUp";
  const isTaken = event.target.matches(isVertical ? "textarea, select" : "textarea, select, input");
  if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || isTaken) {
    return;
  }
  const rows = [...event.currentTarget.querySelectorAll("[data-row]")];
  const at = rows.findIndex((row) => row === event.target || row.parentElement.contains(event.target));
  const isOutside = at < 0; // in the field above the rows
  const targets = { ArrowDown: at + 1, ArrowUp: isOutside ? -1 : at - 1, Home: 0, End: rows.length - 1 };
  const to = rows[targets[event.key]];
  if (to) {
    event.preventDefault();
    to.focus();
  }
}

/**
 * Around rows of people (`[data-row]`, each beside its own buttons): the arrow keys walk them, and Tab stops at one of
 * them only, so that the way past hundreds is short.
 *
 * @param {{children: any}} props all others go to the element
 */
export function Rows({ children, ...rest }) {
  const ref = useRef(null);
  const stop = useRef(null);
  const keepOneStop = () => {
    const rows = [...ref.current.querySelectorAll("[data-row]")];
    const current = rows.includes(stop.current)
      ? stop.current
      : rows.find((row) => row.hasAttribute("aria-current")) ?? rows[0];
    for (const row of rows) {
      for (const control of row.parentElement.querySelectorAll("a, button")) {
        control.tabIndex = row === current ? 0 : -1;
      }
    }
  };
  useLayoutEffect(keepOneStop);
  const onFocusIn = (event) => {
    const row = event.target.closest("[data-row]") ?? event.target.closest(".person-row")?.querySelector("[data-row]");
    if (row) {
      stop.current = row;
      keepOneStop(); // all of them, for some may have been drawn meanwhile
    }
  };
  return html`<div ...${rest} ref=${ref} onKeyDown=${moveAmongRows} onFocusIn=${onFocusIn}>${children}</div>`;
}
