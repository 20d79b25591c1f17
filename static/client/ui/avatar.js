import { html, useState } from "../html.js";
import { isLocalUrl, localUrl } from "../config.js";
import { t } from "../i18n.js";
import { chatTitle, displayName, isBot, online, otherMember, user } from "../store/state.js";
import { Icon } from "./icon.js";

const TINTS = 8;

/**
 * One or two letters that stand for a name: of its first and its last word.
 *
 * @param {string} name
 * @returns {string}
 */
export function initials(name) {
  const words = name.split(/[\s._@()#-]+/u).filter(Boolean);
  // Two Han characters side by side would read as a word of their own.
  const isHan = /^\p{Script=Han}/u.test(words[0] ?? "");
  const chosen = words.length > 1 && !isHan ? [words[0], words.at(-1)] : words.slice(0, 1);
  return chosen.map((word) => [...word][0]).join("").toUpperCase() || "?";
}

/** What the server draws out of a name for who has chosen no picture; chosen ones have addresses. */
const isDrawn = (avatarUrl) => avatarUrl.startsWith("data:");

/** The Content-Security-Policy lets no picture of another host in, and nobody should learn who looks at one. */
const pictureUrl = (avatarUrl) => (avatarUrl && isLocalUrl(avatarUrl) ? localUrl(avatarUrl) : null);

function Picture({ url, name, icon, seed, size, shape }) {
  const [brokenUrl, setBrokenUrl] = useState(null);
  const isShown = url && url !== brokenUrl;
  const style = { width: `${size}px`, height: `${size}px`, fontSize: `${Math.round(size * 0.38)}px` };
  if (!isShown) {
    style.backgroundColor = `var(--avatar-${(seed % TINTS) + 1})`;
  }
  const letters = icon ? html`<${Icon} name=${icon} size=${Math.round(size * 0.6)} />` : initials(name);
  const kind = isShown && isDrawn(url) ? "avatar-drawn" : "";
  return html`
    <span class=${`avatar-picture avatar-${shape} ${kind}`} style=${style} aria-hidden="true">
      ${isShown
        ? html`<img src=${url} alt="" width=${size} height=${size} draggable=${false}
            onError=${() => setBrokenUrl(url)} />`
        : letters}
    </span>
  `;
}

/**
 * A user's picture, or the initials where there is none that may be shown; bots without one have a drawing of a bot.
 *
 * @param {object} props
 * @param {number} props.userId
 * @param {number} [props.size] in CSS px
 * @param {boolean} [props.showPresence] with a dot if the user is online
 */
export function Avatar({ userId, size = 40, showPresence = false }) {
  const url = pictureUrl(user(userId).avatar_url ?? "");
  const isPlainBot = isBot(userId) && (!url || isDrawn(url));
  return html`
    <span class="avatar">
      <${Picture} url=${isPlainBot ? null : url} icon=${isPlainBot && "bot"} name=${displayName(userId)} seed=${userId}
        size=${size} shape="round" />
      ${showPresence && online.value.has(userId)
        ? html`<span class="avatar-presence" role="img" aria-label=${t("common.online")} title=${t("common.online")} />`
        : null}
    </span>
  `;
}

/**
 * The picture of a chat: the other member's, or a group's initials.
 *
 * @param {{chat: object, size?: number, showPresence?: boolean}} props `chat` as the store has it, `size` in CSS px
 */
export function ChatAvatar({ chat, size = 40, showPresence = true }) {
  const otherId = otherMember(chat);
  return otherId === null
    ? html`<span class="avatar">
        <${Picture} url=${null} name=${chatTitle(chat)} seed=${chat.chat_id} size=${size} shape="square" />
      </span>`
    : html`<${Avatar} userId=${otherId} size=${size} showPresence=${showPresence} />`;
}
