/** What tells of news while nobody looks: desktop notifications and the badge of the installed app. */

import { effect, signal } from "@preact/signals";
import { plainText, writtenText } from "../chat_preview.js";
import { isLocalUrl, localUrl } from "../config.js";
import { systemText, t } from "../i18n.js";
import { preference } from "../preferences.js";
import { navigate } from "../route.js";
import { onPacket } from "./packets.js";
import { chats, chatTitle, displayName, friendInvitations, me, SYSTEM_USER_NAME, unreadTotal } from "./state.js";

/** Whether the user wants desktop notifications (which the browser must permit, too). */
export const wantsNotices = preference("notices", false);

/** What the browser says: "granted", "denied", "default" (not asked yet) or "unsupported". */
export const noticePermission = signal(globalThis.Notification?.permission ?? "unsupported");

navigator.permissions?.query({ name: "notifications" }).then((status) => {
  status.onchange = () => { noticePermission.value = Notification.permission; };
}, () => {}); // some browsers do not tell

/**
 * Turn desktop notifications on or off; asks the browser's permission if need be.
 * @param {boolean} isOn
 * @returns {Promise<boolean>} whether they are on now
 */
export async function setNotices(isOn) {
  if (isOn && noticePermission.peek() === "default") noticePermission.value = await Notification.requestPermission();
  wantsNotices.value = isOn && noticePermission.peek() === "granted";
  return wantsNotices.peek();
}

const shown = new Map(); // chat id → Notification

// A visible tab holds this lock: who looks at one needs no notifications from the others.
const VISIBLE = "nova.visible";
let hide = () => {};

function noteVisibility() {
  hide();
  if (document.hidden) return;
  navigator.locks?.request(VISIBLE, { mode: "shared" }, () => new Promise((resolve) => { hide = resolve; }));
}

noteVisibility();
document.addEventListener("visibilitychange", noteVisibility);

async function isAnyVisible() {
  const held = (await navigator.locks?.query())?.held ?? [];
  return !document.hidden || held.some(({ name }) => name === VISIBLE);
}

async function show(message) {
  const isWanted = wantsNotices.peek() && noticePermission.peek() === "granted";
  if (!isWanted || await isAnyVisible()) return;
  const chat = chats.peek().get(message.chat_id);
  if (!chat?.unread_count) return; // read elsewhere, or gone
  const sender = displayName(message.sender.id);
  const isSystem = message.sender.user_name === SYSTEM_USER_NAME;
  const written = isSystem ? systemText(message) : plainText(writtenText(message));
  const text = written || message.files?.map((file) => file.name).join(", ") || "";
  const body = chat.is_private ? text : t("notifications.of_group", { sender, text });
  const { avatar_url: avatar } = message.sender;
  try {
    const notice = new Notification(chatTitle(chat), {
      body,
      tag: `nova.chat.${chat.chat_id}`, // a newer one takes the place of the older one, also of another tab's
      icon: isLocalUrl(avatar) ? localUrl(avatar) : undefined,
    });
    shown.set(chat.chat_id, notice);
    notice.onclick = () => {
      window.focus();
      navigate(`#/chats/${chat.chat_id}`);
      notice.close();
    };
  } catch {
    // some phones allow notifications to service workers alone
  }
}

onPacket("new_message", ({ message }, _packet, { isKeptAside }) => {
  if (!isKeptAside && message.sender.id !== me.peek()?.id) show(message);
});
onPacket("messages_read", ({ chat_id, user_id }) => {
  if (user_id !== me.peek()?.id) return;
  shown.get(chat_id)?.close();
  shown.delete(chat_id);
});

effect(() => {
  const count = unreadTotal.value + friendInvitations.value.length;
  if (count) navigator.setAppBadge?.(count).catch(() => {});
  else navigator.clearAppBadge?.().catch(() => {});
});
