/**
 * Keep the focus in the page when what has it goes away, such as a row of a list whose button is pressed: it goes on to
 * the next row, or to the title of the pane.
 *
 * @param {Element} element the one that will go, while it is there
 * @returns {() => void} to be called when it is gone
 */
export function keepFocus(element) {
  const list = element.closest("ul, ol");
  const pane = element.closest(".pane, .details, dialog");
  return () =>
    requestAnimationFrame(() => {
      if (document.activeElement === document.body) {
        const next = list?.isConnected && list.querySelector("button:not(:disabled)");
        (next || pane?.querySelector(".pane-title"))?.focus();
      }
    });
}
