/** What stands above the text of the composer: what is answered or edited, and the files to be sent. */

import { html } from "../html.js";
import { formatSize, t } from "../i18n.js";
import { navigate } from "../route.js";
import { displayName } from "../store/state.js";
import { Icon, IconButton } from "../ui/index.js";
import { removeFile } from "./composer_state.js";
import { useObjectUrl } from "./object_url.js";
import { MessageLine } from "./quote.js";

/**
 * The message that is answered or edited; a click leads to it.
 * @param {{message: object, isEdit: boolean, onCancel: () => void}} props
 */
export function ComposerBar({ message, isEdit, onCancel }) {
  const title = isEdit ? t("composer.editing") : t("composer.reply_to", { name: displayName(message.sender.id) });
  const show = () => navigate(`#/chats/${message.chat_id}/messages/${message.message_id}`, { replace: true });
  return html`
    <div class="composer-bar">
      <${Icon} name=${isEdit ? "edit" : "reply"} size=${18} />
      <button type="button" class="quote" onClick=${show} title=${t("message.go_to_original")}>
        <span class="quote-name truncate">${title}</span>
        <span class="quote-text truncate"><${MessageLine} message=${message} /></span>
      </button>
      <${IconButton} icon="close" size=${18} onClick=${onCancel}
        label=${isEdit ? t("composer.cancel_edit") : t("composer.cancel_reply")} />
    </div>
  `;
}

function FileToSend({ chatId, id, file }) {
  const url = useObjectUrl(file.type.startsWith("image/") ? file : null);
  return html`
    <li class="composer-file">
      ${url
        ? html`<img src=${url} alt="" />`
        : html`<span class="file-icon"><${Icon} name="file" /></span>`}
      <span class="row-words">
        <span class="file-name truncate">${file.name}</span>
        <span class="file-size">${formatSize(file.size)}</span>
      </span>
      <${IconButton} icon="close" size=${16} label=${t("composer.remove_file", { name: file.name })}
        onClick=${() => removeFile(chatId, id)} />
    </li>
  `;
}

/**
 * The files to be sent.
 * @param {{chatId: number, files: {id: number, file: File}[]}} props
 */
export function FilesToSend({ chatId, files }) {
  if (!files.length) return null;
  return html`
    <ul class="composer-files" aria-label=${t("composer.files")}>
      ${files.map(({ id, file }) => html`<${FileToSend} key=${id} chatId=${chatId} id=${id} file=${file} />`)}
    </ul>
  `;
}
