/** From any picture to an avatar: the part of it that is shown is chosen, and drawn small. */

import { html, useLayoutEffect, useRef, useState } from "../html.js";
import { t } from "../i18n.js";
import { Button, Dialog, Icon, openDialog } from "../ui/index.js";

/** What the file chooser offers; whatever the browser can read is taken. */
export const AVATAR_TYPES = "image/png,image/jpeg,image/gif,image/webp,image/avif,image/bmp";

/** Both sides of an avatar. The largest one that is shown has 96 px; screens have up to three dots in each. */
const AVATAR_PX = 256;
/** As POST /user/avatar has it. */
const AVATAR_MAX_BYTES = 256 * 1024;
const QUALITY = 0.9;
const ZOOM_MAX = 4;
const ZOOM_STEP = 0.05;
/** How far an arrow key moves, as a share of what is shown. */
const KEY_SHARE = 0.05;

/**
 * Read a file as a picture.
 *
 * @param {Blob} file
 * @returns {Promise<ImageBitmap|null>} null if it is none that this browser knows
 */
export async function readPicture(file) {
  try {
    return await createImageBitmap(file);
  } catch {
    return null;
  }
}

const clamp = (value, least, most) => Math.min(Math.max(value, least), most);

/** The square that is shown, in px of the picture, for its middle and how often it goes into the largest one. */
function squareOf(picture, { x, y, zoom }) {
  const side = Math.min(picture.width, picture.height) / zoom;
  const corner = (middle, size) => clamp(middle - side / 2, 0, size - side);
  return { side, left: corner(x, picture.width), top: corner(y, picture.height) };
}

function draw(canvas, picture, view) {
  const { side, left, top } = squareOf(picture, view);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.drawImage(picture, left, top, side, side, 0, 0, canvas.width, canvas.height);
}

const encode = (canvas, type) => new Promise((resolve) => { canvas.toBlob(resolve, type, QUALITY); });

/** Browsers that cannot write WebP write PNG instead, which may be too large: JPEG never is at this size. */
async function avatarOf(canvas) {
  const picture = await encode(canvas, "image/webp");
  return picture && picture.size <= AVATAR_MAX_BYTES ? picture : encode(canvas, "image/jpeg");
}

function AvatarCrop({ picture, close }) {
  const canvas = useRef(null);
  const dragged = useRef(null);
  const [view, setView] = useState({ x: picture.width / 2, y: picture.height / 2, zoom: 1 });
  const [isBusy, setBusy] = useState(false);
  useLayoutEffect(() => draw(canvas.current, picture, view), [view]);

  /** Move by shares of what is shown; the middle stays where the square can be. */
  const move = (rightShare, downShare) => setView((known) => {
    const { side, left, top } = squareOf(picture, known);
    return { ...known, x: left + side * (0.5 + rightShare), y: top + side * (0.5 + downShare) };
  });
  const setZoom = (zoom) => setView((known) => {
    const { side, left, top } = squareOf(picture, known);
    return { x: left + side / 2, y: top + side / 2, zoom: clamp(zoom, 1, ZOOM_MAX) };
  });
  const onPointerDown = (event) => {
    event.currentTarget.setPointerCapture(event.pointerId);
    dragged.current = { x: event.clientX, y: event.clientY };
  };
  const onPointerMove = (event) => {
    if (dragged.current) {
      const { width } = event.currentTarget.getBoundingClientRect();
      move((dragged.current.x - event.clientX) / width, (dragged.current.y - event.clientY) / width);
      dragged.current = { x: event.clientX, y: event.clientY };
    }
  };
  const onWheel = (event) => {
    event.preventDefault();
    setZoom(view.zoom - Math.sign(event.deltaY) * ZOOM_STEP * 2);
  };
  const onKeyDown = (event) => {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const way = ways[event.key];
    if (way) {
      event.preventDefault();
      move(way[0] * KEY_SHARE, way[1] * KEY_SHARE);
    } else if (event.key === "+" || event.key === "-") {
      setZoom(view.zoom + (event.key === "+" ? ZOOM_STEP : -ZOOM_STEP) * 2);
    }
  };
  const submit = async () => {
    if (!isBusy) {
      setBusy(true);
      close(await avatarOf(canvas.current));
    }
  };
  const stopDrag = () => (dragged.current = null);
  const footer = html`
    <${Button} onClick=${() => close()}>${t("common.cancel")}<//>
    <${Button} type="submit" variant="primary" busy=${isBusy}>${t("profile.use_picture")}<//>
  `;
  return html`
    <${Dialog} title=${t("profile.crop")} size="s" footer=${footer} onClose=${() => close()} onSubmit=${submit}>
      <div class="avatar-crop">
        <canvas ref=${canvas} width=${AVATAR_PX} height=${AVATAR_PX} tabindex="0" role="img" data-autofocus
          aria-label=${t("profile.crop_label")} aria-describedby="avatar-crop-hint" onKeyDown=${onKeyDown}
          onPointerDown=${onPointerDown} onPointerMove=${onPointerMove} onPointerUp=${stopDrag}
          onPointerCancel=${stopDrag} onWheel=${onWheel} />
        <label class="avatar-zoom">
          <${Icon} name="image" size=${16} /><span class="visually-hidden">${t("profile.zoom")}</span>
          <input type="range" min="1" max=${ZOOM_MAX} step=${ZOOM_STEP} value=${view.zoom}
            onInput=${(event) => setZoom(Number(event.currentTarget.value))} />
          <${Icon} name="image" size=${24} />
        </label>
        <p class="field-hint" id="avatar-crop-hint">${t("profile.crop_hint")}</p>
      </div>
    <//>
  `;
}

/**
 * Let the user choose the part of a picture that shall be the avatar.
 *
 * @param {ImageBitmap} picture
 * @returns {Promise<Blob|undefined>} 256 × 256 px, at most 256 KiB; undefined: cancelled
 */
export const openAvatarCrop = (picture) =>
  openDialog((close) => html`<${AvatarCrop} picture=${picture} close=${close} />`);
