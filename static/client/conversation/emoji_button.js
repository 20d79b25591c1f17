/** The emoji picker; it is loaded when it is opened for the first time. */

import { html, useEffect, useRef, useState } from "../html.js";
import { config } from "../config.js";
import { language, t } from "../i18n.js";
import { isDark } from "../preferences.js";
import { IconButton, Popover, Spinner } from "../ui/index.js";

async function makePicker(code) {
  const vendor = `/static/${config.version}/vendor`;
  const [{ default: Picker }, { default: i18n }] = await Promise.all([
    import(`${vendor}/emoji-picker-element/picker.js`), import(`${vendor}/emoji-picker-element/i18n/${code}.js`),
  ]);
  return new Picker({ dataSource: `${vendor}/emoji-picker-element-data/${code}.json`, locale: code, i18n });
}

function Picker({ onPick }) {
  const ref = useRef(null);
  const [state, setState] = useState("loading");
  const pick = useRef(onPick);
  pick.current = onPick;
  const code = language.value;
  useEffect(() => {
    let isWanted = true;
    makePicker(code).then((picker) => {
      if (!isWanted) return;
      picker.addEventListener("emoji-click", (event) => pick.current(event.detail.unicode));
      ref.current.replaceChildren(picker);
      setState("there");
      // Where fingers are, the field would bring up a keyboard over the emoji.
      if (!matchMedia("(pointer: fine)").matches) return;
      requestAnimationFrame(() => picker.shadowRoot?.querySelector("input")?.focus());
    }).catch(() => isWanted && setState("failed"));
    return () => (isWanted = false);
  }, [code]);
  useEffect(() => {
    ref.current.firstChild?.classList.toggle("dark", isDark.value);
    ref.current.firstChild?.classList.toggle("light", !isDark.value);
  }, [isDark.value, state]);
  return html`
    <div class="emoji-picker">
      ${state === "loading" && html`<${Spinner} label=${t("common.loading")} />`}
      ${state === "failed" && html`<p role="alert">${t("composer.no_emoji")}</p>`}
      <div ref=${ref}></div>
    </div>
  `;
}

/**
 * The button that opens the picker.
 * @param {{onPick: (emoji: string) => void}} props called once; the picker is closed then
 */
export function EmojiButton({ onPick }) {
  const [isOpen, setOpen] = useState(false);
  const ref = useRef(null);
  const wasOpen = useRef(false); // a press on the button closes the picker before its click comes
  const pick = (emoji) => {
    setOpen(false);
    onPick(emoji);
  };
  return html`
    <${IconButton} buttonRef=${ref} icon="smile" label=${t("composer.emoji")} aria-expanded=${isOpen ? "true" : "false"}
      aria-haspopup="dialog" onPointerDown=${() => (wasOpen.current = isOpen)}
      onClick=${() => {
        setOpen(!wasOpen.current);
        wasOpen.current = false;
      }} />
    ${isOpen && html`
      <${Popover} anchor=${ref.current} placement="top-end" class="emoji-popover" onClose=${() => setOpen(false)}
        role="dialog" aria-label=${t("composer.emoji")}>
        <${Picker} onPick=${pick} />
      <//>
    `}
  `;
}
