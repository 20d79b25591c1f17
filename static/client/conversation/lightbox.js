/** Pictures as large as the window. */

import { html, useEffect, useRef, useState } from "../html.js";
import { localUrl } from "../config.js";
import { formatDate, t } from "../i18n.js";
import { conversation } from "../store/conversations.js";
import { displayName } from "../store/state.js";
import { Icon, IconButton, openDialog } from "../ui/index.js";
import { fileKind } from "./file_kind.js";
import { isHidden } from "./timeline.js";

/** Fingers that move so far sideways turn the page. */
const SWIPE_PX = 50;

/** All pictures that are loaded of a chat: {file, message}, in the order of the messages. */
const picturesOf = (chatId) => conversation(chatId).messages.peek().filter((message) => !isHidden(message))
  .flatMap((message) => (message.files ?? []).filter((file) => fileKind(file) === "image")
    .map((file) => ({ file, message })));

function Lightbox({ pictures, first, close }) {
  const ref = useRef(null);
  const [index, setIndex] = useState(first);
  const [isLarge, setLarge] = useState(false);
  const touchX = useRef(null);
  const { file, message } = pictures[index];
  const url = localUrl(file.url);
  useEffect(() => {
    const before = document.activeElement;
    ref.current.showModal();
    ref.current.focus();
    return () => before?.isConnected && before.focus({ preventScroll: true });
  }, []);
  const turn = (step) => {
    if (!pictures[index + step]) return;
    setIndex(index + step);
    setLarge(false);
  };
  const onKeyDown = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) turn(step);
  };
  const onTouchEnd = (event) => {
    const moved = event.changedTouches[0].clientX - (touchX.current ?? event.changedTouches[0].clientX);
    if (!isLarge && Math.abs(moved) > SWIPE_PX) turn(moved > 0 ? -1 : 1);
  };
  const isBeside = (event) => event.target === event.currentTarget || event.target.classList.contains("lightbox-stage");
  const arrow = (step, side, icon, label) => pictures[index + step] && html`
    <${IconButton} icon=${icon} label=${label} class=${`lightbox-arrow lightbox-arrow-${side}`} size=${26}
      onClick=${() => turn(step)} />
  `;
  const download = t("message.download", { name: file.name });
  return html`
    <dialog ref=${ref} class="lightbox" aria-label=${file.name} tabindex="-1" onCancel=${close} onKeyDown=${onKeyDown}
      onClick=${(event) => isBeside(event) && close()}
      onTouchStart=${(event) => (touchX.current = event.touches.length === 1 ? event.touches[0].clientX : null)}
      onTouchEnd=${onTouchEnd}>
      <header class="lightbox-bar">
        <div class="row-words">
          <div class="truncate">${file.name}</div>
          <div class="small truncate lightbox-by">
            ${pictures.length > 1 && `${index + 1} / ${pictures.length} · `}
            ${displayName(message.sender.id)}, ${formatDate(message.send_time)}
          </div>
        </div>
        <a class="icon-button" href=${url} download=${file.name} aria-label=${download} title=${download}>
          <${Icon} name="download" />
        </a>
        <${IconButton} icon="close" label=${t("common.close")} onClick=${close} />
      </header>
      <div class=${`lightbox-stage ${isLarge ? "lightbox-large" : ""}`}>
        <img key=${file.id} src=${url} alt=${file.name} onClick=${() => setLarge(!isLarge)} />
      </div>
      ${arrow(-1, "back", "chevron-left", t("message.previous_picture"))}
      ${arrow(1, "on", "chevron-right", t("message.next_picture"))}
    </dialog>
  `;
}

/**
 * Show a picture of a chat; the arrows lead to the others that are loaded.
 * @param {number} chatId
 * @param {object} file File of the protocol
 */
export function openLightbox(chatId, file) {
  const pictures = picturesOf(chatId);
  const first = pictures.findIndex((picture) => picture.file.id === file.id);
  if (first < 0) return;
  openDialog((close) => html`<${Lightbox} pictures=${pictures} first=${first} close=${() => close()} />`);
}
