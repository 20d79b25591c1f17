/** The files of a message: pictures to look at, sounds and videos to play, everything else to download. */

import { html, useState } from "../html.js";
import { localUrl } from "../config.js";
import { formatSize, t } from "../i18n.js";
import { discard } from "../store/outbox.js";
import { Icon, IconButton } from "../ui/index.js";
import { fileKind } from "./file_kind.js";
import { openLightbox } from "./lightbox.js";
import { useObjectUrl } from "./object_url.js";
import { sentFiles } from "./sent.js";

/** A file without a preview. One that is not sent yet has no `url`. */
function FileCard({ file }) {
  const words = html`
    <span class="file-icon"><${Icon} name="file" /></span>
    <span class="row-words">
      <span class="file-name">${file.name}</span>
      <span class="file-size">${formatSize(file.size)}</span>
    </span>
  `;
  if (!file.url) return html`<div class="file-card">${words}</div>`;
  return html`
    <a class="file-card" href=${localUrl(file.url)} download=${file.name} tabindex="-1"
      title=${t("message.download", { name: file.name })}>${words}<${Icon} name="download" /></a>
  `;
}

function Picture({ file, chatId }) {
  const [isBroken, setBroken] = useState(false);
  const unsentUrl = useObjectUrl(file.local ?? null);
  // The element stays when the message has arrived, so the one picture stays until the other is there.
  const url = file.url ? localUrl(file.url) : unsentUrl;
  if (isBroken) return html`<${FileCard} file=${file} />`;
  return html`
    <button type="button" class="picture" tabindex="-1" aria-label=${t("message.open_picture", { name: file.name })}
      disabled=${!file.url} onClick=${() => openLightbox(chatId, file)}>
      ${url && html`<img src=${url} alt=${file.name} loading="lazy" decoding="async" draggable=${false}
        onError=${() => setBroken(true)} />`}
    </button>
  `;
}

function Video({ file }) {
  const [isBroken, setBroken] = useState(false);
  if (isBroken) return html`<${FileCard} file=${file} />`;
  return html`
    <video class="video" src=${localUrl(file.url)} controls preload="metadata" playsinline title=${file.name}
      aria-label=${file.name} onError=${() => setBroken(true)}></video>
  `;
}

function Sound({ file }) {
  return html`
    <figure class="sound">
      <figcaption class="file-name">${file.name} <span class="file-size">${formatSize(file.size)}</span></figcaption>
      <audio src=${localUrl(file.url)} controls preload="metadata" aria-label=${file.name}></audio>
      <${DownloadButton} file=${file} />
    </figure>
  `;
}

const DownloadButton = ({ file }) => html`
  <a class="icon-button sound-download" href=${localUrl(file.url)} download=${file.name} tabindex="-1"
    aria-label=${t("message.download", { name: file.name })} title=${t("message.download", { name: file.name })}>
    <${Icon} name="download" size=${18} />
  </a>
`;

const VIEWS = { video: Video, audio: Sound, other: FileCard };

/** The files of a message that is not sent yet, in the shape of the protocol's, as far as they are known. */
function unsentFiles({ files, client_message_id: id }) {
  const local = sentFiles(id);
  return files.map(({ name, size, type }, index) => {
    const isShown = local[index] && type.startsWith("image/");
    return { name, size, content_type: isShown ? type : "", local: isShown ? local[index] : null };
  });
}

/**
 * The files of a message.
 * @param {{message: object}} props one that has arrived or is being sent
 */
export function Attachments({ message }) {
  const { sending, chat_id: chatId } = message;
  const files = sending ? unsentFiles(sending) : message.files ?? [];
  const pictures = files.filter((file) => fileKind(file) === "image");
  const others = files.filter((file) => fileKind(file) !== "image");
  return html`
    ${pictures.length > 0 && html`
      <div class=${`pictures pictures-${pictures.length === 4 ? 2 : Math.min(pictures.length, 3)}`}>
        ${pictures.map((file, index) => html`<${Picture} key=${index} file=${file} chatId=${chatId} />`)}
      </div>
    `}
    ${others.map((file, index) => {
      const View = file.url ? VIEWS[fileKind(file)] : FileCard;
      return html`<${View} key=${index} file=${file} />`;
    })}
    ${sending?.status === "uploading" && html`<${Upload} sending=${sending} />`}
  `;
}

function Upload({ sending: { progress, client_message_id: id } }) {
  return html`
    <div class="upload">
      <progress value=${progress} max="1" aria-label=${t("message.uploading")}></progress>
      <span class="small">${Math.round(progress * 100)} %</span>
      <${IconButton} icon="close" size=${16} label=${t("message.do_not_send")} onClick=${() => discard(id)} />
    </div>
  `;
}
