/** Files that are dragged over a conversation. */

import { html, useRef, useState } from "../html.js";
import { t } from "../i18n.js";
import { Icon, showToast } from "../ui/index.js";
import { addFiles } from "./composer_state.js";

const hasFiles = (event) => event.dataTransfer?.types.includes("Files");

/** The files that were dropped; folders cannot be sent. */
function droppedFiles({ items, files }) {
  const isFolder = [...items].map((item) => item.webkitGetAsEntry?.()?.isDirectory ?? false);
  const dropped = [...files].filter((_, index) => !isFolder[index]);
  if (dropped.length < files.length) showToast(t("composer.no_folders"), { kind: "error" });
  return dropped;
}

/**
 * The handlers of the element that files may be dropped on, and what lies over it meanwhile.
 * @param {number} chatId
 * @param {boolean} isOn whether files can be sent
 */
export function useDropZone(chatId, isOn) {
  const [isOver, setOver] = useState(false);
  const depth = useRef(0); // of elements that were entered and not left
  const end = () => {
    depth.current = 0;
    setOver(false);
  };
  const handlers = {
    onDragEnter: (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      depth.current += 1;
      setOver(true);
    },
    onDragOver: (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
    },
    onDragLeave: (event) => {
      if (!hasFiles(event)) return;
      depth.current -= 1;
      if (depth.current <= 0) end();
    },
    onDrop: (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      end();
      addFiles(chatId, droppedFiles(event.dataTransfer));
    },
  };
  const cover = isOver && html`
    <div class="drop-cover"><span><${Icon} name="attach" size=${28} />${t("composer.drop_here")}</span></div>
  `;
  return isOn ? { handlers, cover } : { handlers: {}, cover: null };
}
