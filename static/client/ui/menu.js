import { html, signal, useLayoutEffect, useRef, useState } from "../html.js";
import { Icon } from "./icon.js";
import { IconButton } from "./button.js";
import { Popover } from "./popover.js";

/** The menu that a function has opened: {items, at, label}, or null. */
const opened = signal(null);

/** The buttons of the mouse that are held down, as events have them. */
let heldButtons = 0;
for (const type of ["pointerdown", "pointerup", "pointercancel"]) {
  addEventListener(type, (event) => (heldButtons = event.pointerType === "mouse" ? event.buttons : 0), true);
}

/**
 * @typedef {object} MenuItem
 * @property {string} label
 * @property {string} [icon]
 * @property {string} [hint] at the end of the line, such as a shortcut
 * @property {boolean} [danger]
 * @property {boolean} [disabled]
 * @property {boolean} [checked] makes it one of several that can be chosen
 * @property {() => void} onSelect
 */

function MenuList({ items, label, anchor, placement, onClose }) {
  const ref = useRef(null);
  const shown = items.filter(Boolean);
  const buttons = () => [...ref.current.querySelectorAll("[role^=menuitem]:not(:disabled)")];
  useLayoutEffect(() => buttons()[0]?.focus(), []); // before a key can be pressed
  const onKeyDown = (event) => {
    const all = buttons();
    const at = all.indexOf(document.activeElement);
    const targets = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 };
    let to = targets[event.key];
    if (event.key === "Tab") {
      event.preventDefault();
      onClose();
      return;
    }
    if (to === undefined && event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey) {
      const rest = [...all.slice(at + 1), ...all.slice(0, at + 1)];
      const found = rest.find((button) => button.innerText.toLowerCase().startsWith(event.key.toLowerCase()));
      to = found && all.indexOf(found);
    }
    if (to !== undefined) {
      event.preventDefault();
      event.stopPropagation();
      all.at(to % all.length)?.focus();
    }
  };
  const choose = (item) => {
    onClose();
    item.onSelect();
  };
  return html`
    <${Popover} anchor=${anchor} placement=${placement} onClose=${onClose} class="menu">
      <div ref=${ref} role="menu" aria-label=${label} onKeyDown=${onKeyDown}>
        ${shown.map((item, index) =>
          item === "-"
            ? html`<div key=${index} role="separator" class="menu-separator"></div>`
            : html`
                <button key=${index} type="button" tabindex="-1" disabled=${item.disabled}
                  class=${`menu-item ${item.danger ? "menu-item-danger" : ""}`}
                  role=${item.checked === undefined ? "menuitem" : "menuitemradio"}
                  aria-checked=${item.checked === undefined ? undefined : String(item.checked)}
                  onPointerMove=${(event) => event.currentTarget.focus({ preventScroll: true })}
                  onClick=${() => choose(item)}>
                  ${item.icon && html`<${Icon} name=${item.icon} size=${18} />`}
                  <span class="menu-label">${item.label}</span>
                  ${item.hint && html`<span class="menu-hint">${item.hint}</span>`}
                  ${item.checked && html`<${Icon} name="check" size=${18} />`}
                </button>
              `,
        )}
      </div>
    <//>
  `;
}

/**
 * A button that opens a menu.
 *
 * @param {object} props
 * @param {(MenuItem|"-"|null|false)[]} props.items "-" is a line between two
 * @param {string} props.label the name of the button and of the menu
 * @param {string} [props.icon] of the button
 * @param {(props: object) => any} [props.button] draws another button: give it the props, with `buttonRef`
 * @param {string} [props.placement] as of Popover
 */
export function Menu({ items, label, icon = "more", button, placement = "bottom-end", class: className }) {
  const [isOpen, setOpen] = useState(false);
  const ref = useRef(null);
  // A press on the button closes an open menu before its click comes, which must not open it again.
  const wasOpen = useRef(false);
  const props = {
    buttonRef: ref,
    class: className,
    "aria-haspopup": "menu",
    "aria-expanded": isOpen ? "true" : "false",
    onPointerDown: () => (wasOpen.current = isOpen),
    onClick: () => {
      setOpen(!wasOpen.current);
      wasOpen.current = false;
    },
    onKeyDown: (event) => {
      if (event.key === "ArrowDown") {
        event.preventDefault();
        setOpen(true);
      }
    },
  };
  return html`
    ${button ? button(props) : html`<${IconButton} ...${props} icon=${icon} label=${label} />`}
    ${isOpen &&
    html`<${MenuList} items=${items} label=${label} anchor=${ref.current} placement=${placement}
      onClose=${() => setOpen(false)} />`}
  `;
}

/**
 * Open a menu from a function: by a right click, say, or a long press.
 *
 * @param {object} menu
 * @param {(MenuItem|"-"|null|false)[]} menu.items
 * @param {Element|{x: number, y: number}} menu.at an element, or a point in px of the window
 * @param {string} menu.label
 * @param {string} [menu.placement] as of Popover
 * @param {() => void} [menu.onClose]
 */
export function openMenu(menu) {
  const open = () => (opened.value = menu);
  // Some systems ask for a menu when the button is pressed: in some browsers its release would close the menu again.
  if (heldButtons) {
    addEventListener("pointerup", () => setTimeout(open), { once: true });
  } else {
    open();
  }
}

/** Where menus of openMenu appear; stands once in the app. */
export function MenuHost() {
  const menu = opened.value;
  const ref = useRef(0);
  const lastMenu = useRef(null);
  if (menu !== lastMenu.current) {
    lastMenu.current = menu;
    ref.current += 1;
  }
  const close = () => {
    if (opened.value === menu) {
      opened.value = null;
    }
    menu.onClose?.();
  };
  return menu
    ? html`<${MenuList} key=${ref.current} items=${menu.items} label=${menu.label} anchor=${menu.at}
        placement=${menu.placement ?? "bottom-start"} onClose=${close} />`
    : null;
}
