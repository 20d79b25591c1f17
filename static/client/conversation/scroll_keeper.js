/**
 * Keeps one's place in a list that changes all the time: at its end whatever comes, or where one reads, to the pixel,
 * whatever is added, taken away or grows above it. The browsers' own scroll anchoring is switched off in the style
 * sheet: not all have it, and two would pull against each other.
 */

/** As near to the end counts as the end for who scrolls down … */
const NEAR_END_PX = 24;
/** … and who scrolls up leaves it at once. */
const AT_END_PX = 2;
/** A glide that is not over by then was stopped on its way. */
const GLIDE_MAX_MS = 700;
/** So long after the last movement the day is still shown. */
const SCROLLING_MS = 1000;
/** Longer ways are jumped. */
const GLIDE_MAX_SCREENS = 3;

const calm = matchMedia("(prefers-reduced-motion: reduce)");

/**
 * One's place in a scrolling list. Its rows have the class `message`, a `data-key` and, if they have arrived, a
 * `data-message-id`.
 */
export class ScrollKeeper {
  /**
   * @param {HTMLElement} scroller what scrolls
   * @param {HTMLElement} content all that is in it
   * @param {object} view
   * @param {() => boolean} view.isEndLoaded whether the end of the list is the end of the chat
   * @param {() => void} view.onMove the place may be another
   */
  constructor(scroller, content, { isEndLoaded, onMove }) {
    this.scroller = scroller;
    this.content = content;
    this.isEndLoaded = isEndLoaded;
    this.onMove = onMove;
    /** Whether the end is held. */
    this.isAtEnd = false;
    /** The rows in sight, and how far below the upper edge each begins: {key, messageId, topPx}. */
    this.anchors = [];
    this.lastTop = 0;
    this.glideTimer = null;
    this.scrollingTimer = null;
    this.rows = content.getElementsByClassName("message");
    this.observer = new ResizeObserver(() => this.restore());
    this.observer.observe(content);
    this.observer.observe(scroller);
    this.onScroll = this.onScroll.bind(this);
    scroller.addEventListener("scroll", this.onScroll, { passive: true });
  }

  /** Stop watching. */
  stop() {
    clearTimeout(this.glideTimer);
    clearTimeout(this.scrollingTimer);
    this.observer.disconnect();
    this.scroller.removeEventListener("scroll", this.onScroll);
  }

  /** Pixels between what is seen and the end. */
  get toEndPx() {
    const { scrollHeight, clientHeight, scrollTop } = this.scroller;
    return scrollHeight - clientHeight - scrollTop;
  }

  onScroll() {
    const { scrollTop } = this.scroller;
    const isUpwards = scrollTop < this.lastTop - 1;
    if (this.glideTimer !== null) {
      if (!isUpwards && this.toEndPx > AT_END_PX) return;
      this.endGlide();
    } else if (this.isAtEnd && !isUpwards && this.toEndPx > NEAR_END_PX) {
      this.restore(); // nobody scrolled: it grew, and this event came before the observer's
      return;
    }
    this.isAtEnd = this.isEndLoaded() && this.toEndPx <= (isUpwards ? AT_END_PX : NEAR_END_PX);
    if (!this.isAtEnd) this.showScrolling();
    this.note();
  }

  /** While one scrolls the list has the class `message-scrolling`: the day is shown then. */
  showScrolling() {
    this.content.classList.add("message-scrolling");
    clearTimeout(this.scrollingTimer);
    this.scrollingTimer = setTimeout(() => this.content.classList.remove("message-scrolling"), SCROLLING_MS);
  }

  /** Write down where one is. */
  note() {
    this.lastTop = this.scroller.scrollTop;
    this.anchors = this.rowsInSight();
    this.onMove();
  }

  rowsInSight() {
    const { top, bottom } = this.scroller.getBoundingClientRect();
    let low = 0;
    let high = this.rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.rows[middle].getBoundingClientRect().bottom <= top) low = middle + 1;
      else high = middle;
    }
    const inSight = [];
    for (let index = low; index < this.rows.length; index += 1) {
      const box = this.rows[index].getBoundingClientRect();
      if (box.top >= bottom) break;
      const { key, messageId } = this.rows[index].dataset;
      inSight.push({ key, messageId: Number(messageId) || null, topPx: box.top - top });
    }
    return inSight;
  }

  /**
   * The element of a row, or null.
   * @param {string} key
   */
  row(key) {
    return this.content.querySelector(`.message[data-key="${CSS.escape(key)}"]`);
  }

  /** How far was scrolled that no event has told of yet. What is cut off at the end takes the place along, too. */
  get untoldPx() {
    const movedPx = this.scroller.scrollTop - this.lastTop;
    return movedPx < 0 && this.toEndPx < 1 ? 0 : movedPx;
  }

  /** The row of an anchor: after a message was loaded anew it may be known by its id alone. */
  anchored({ key, messageId }) {
    return this.row(key) ?? (messageId && this.content.querySelector(`.message[data-message-id="${messageId}"]`));
  }

  /** Go back to where one was, after whatever has changed. */
  restore() {
    if (this.glideTimer !== null) return;
    const { untoldPx } = this;
    if (this.isAtEnd && this.isEndLoaded()) {
      if (untoldPx < -AT_END_PX) return; // somebody is about to leave it
      if (this.toEndPx > 0) this.scroller.scrollTop = this.scroller.scrollHeight;
    } else {
      const anchor = this.anchors.find((other) => this.anchored(other));
      if (anchor) {
        const { top } = this.scroller.getBoundingClientRect();
        const movedPx = this.anchored(anchor).getBoundingClientRect().top - top - anchor.topPx + untoldPx;
        if (Math.abs(movedPx) >= 0.5) this.scroller.scrollTop += movedPx;
      }
    }
    this.note();
  }

  /** Hold the end. `isGentle`: glide there if it is near. */
  toEnd(isGentle = false) {
    this.isAtEnd = true;
    const isFar = this.toEndPx > GLIDE_MAX_SCREENS * this.scroller.clientHeight;
    if (!isGentle || isFar || calm.matches || this.toEndPx <= AT_END_PX) {
      this.endGlide();
      return;
    }
    clearTimeout(this.glideTimer);
    this.glideTimer = setTimeout(() => this.endGlide(), GLIDE_MAX_MS);
    this.lastTop = this.scroller.scrollTop;
    this.scroller.scrollTo({ top: this.scroller.scrollHeight, behavior: "smooth" });
  }

  endGlide() {
    clearTimeout(this.glideTimer);
    this.glideTimer = null;
    this.restore();
  }

  /**
   * Put an element at a height of the view.
   * @param {Element} element
   * @param {number} share 0: its top at the upper edge; 0.5: in the middle, a tall one with its top at the upper edge
   */
  toElement(element, share) {
    this.isAtEnd = false;
    clearTimeout(this.glideTimer);
    this.glideTimer = null;
    const view = this.scroller.getBoundingClientRect();
    const box = element.getBoundingClientRect();
    const free = Math.max(0, view.height - (share === 0.5 ? box.height : 0));
    this.scroller.scrollTop += box.top - view.top - share * free;
    this.isAtEnd = this.isEndLoaded() && this.toEndPx <= AT_END_PX;
    this.note();
  }

  /** One's place, to be given to `resume` of another keeper of the same chat. */
  get place() {
    return { isAtEnd: this.isAtEnd, anchors: this.anchors };
  }

  /**
   * Go to a place that was left.
   * @param {{isAtEnd: boolean, anchors: object[]}} place
   * @returns {boolean} false if nothing of what was in sight there is in the list
   */
  resume(place) {
    if (!place.isAtEnd && !place.anchors.some((anchor) => this.anchored(anchor))) return false;
    Object.assign(this, place);
    this.restore();
    return true;
  }
}
