/** The start of the client. */

import { config } from "./config.js";
import { loadLanguage, t } from "./i18n.js";
import { html, render } from "./html.js";
import { fetchLater } from "./later.js";
import { navigate, route } from "./route.js";
import { App } from "./app.js";
import { isLeaving } from "./store/chats.js";
import "./store/notices.js";
import { whenChatGone } from "./store/packets.js";
import { later, pauseMs } from "./store/requests.js";
import { beginSignedOut, checkSession } from "./store/sign_in.js";
import { chatTitle } from "./store/state.js";
import { showToast } from "./ui/index.js";

/** So long the page waits for the parts of plugins; what comes later is added to what is there. */
const PARTS_MAX_MS = 2_000;

async function startPart({ plugin, entry }) {
  try {
    const { default: register } = await import(entry);
    register(await import("nova"));
  } catch (error) {
    console.warn(`The client part of ${plugin} is left out:`, error);
  }
}

whenChatGone((chat, why) => {
  if (route.peek().chatId !== chat.chat_id) return;
  navigate("#/chats", { replace: true });
  if (!isLeaving(chat.chat_id)) showToast(t(`chat.gone_${why}`, { chat: chatTitle(chat) }));
});

function registerWorker() {
  navigator.serviceWorker?.register("/sw.js").catch( // missing on plain http of other hosts
    (error) => console.warn("The service worker is left out:", error),
  );
}

async function loadTexts() {
  for (let tries = 0; ; tries += 1) {
    try {
      await loadLanguage();
      return;
    } catch (error) {
      console.warn("The texts cannot be had, they are tried again:", error);
      await later(pauseMs(tries));
    }
  }
}

async function start() {
  const session = config.has_session === false ? beginSignedOut() : checkSession();
  const parts = Promise.all(config.modules.map(startPart));
  await Promise.all([loadTexts(), Promise.race([parts, later(PARTS_MAX_MS)])]);
  const root = document.getElementById("app");
  root.replaceChildren();
  render(html`<${App} />`, root);
  await session;
  registerWorker();
  (window.requestIdleCallback ?? setTimeout)(fetchLater);
}

start();
