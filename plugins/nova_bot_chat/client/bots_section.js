/** Whom one can talk to who is a program. */

import { Avatar, Button, html, Notice, Skeleton, state, t, useState } from "nova";
import { assistant, chatWith, known, loadBots } from "./bots.js";
import { botText } from "./server_texts.js";

function useChat(userId) {
  const [isBusy, setBusy] = useState(false);
  const open = async () => {
    setBusy(true);
    await chatWith(userId);
    setBusy(false);
  };
  return { isBusy, open };
}

function BotRow({ bot }) {
  const { isBusy, open } = useChat(bot.user.id);
  const name = state.displayName(bot.user.id);
  return html`
    <li class="row bots-row">
      <${Avatar} userId=${bot.user.id} size=${40} />
      <div class="row-words">
        <div class="row-title">${name}</div>
        <div class="row-text">${botText(bot.help)}</div>
      </div>
      <${Button} size="s" busy=${isBusy} aria-label=${t("bots.chat_with", { name })} onClick=${open}>
        ${t("bots.chat")}<//>
    </li>
  `;
}

function Rows() {
  const { bots, isLoaded, error } = known.value;
  if (isLoaded) return html`<ul>${bots.map((bot) => html`<${BotRow} key=${bot.user.id} bot=${bot} />`)}</ul>`;
  if (!error) return html`<${Skeleton} rows=${2} />`;
  return html`
    <div class="bots-failed">
      <${Notice} kind="error">${error.message}<//>
      <${Button} icon="refresh" onClick=${loadBots}>${t("bots.retry")}<//>
    </div>
  `;
}

/** The section of the friends view. */
export function BotsSection() {
  if (known.value.isLoaded && !known.value.bots.length) return null;
  return html`<h3 class="section-title">${t("bots.title")}</h3><${Rows} />`;
}

/** What an empty chat list offers: somebody who always answers. */
export function Welcome() {
  const bot = assistant();
  return bot && html`<${WelcomeButton} bot=${bot} />`;
}

function WelcomeButton({ bot }) {
  const { isBusy, open } = useChat(bot.id);
  return html`<${Button} icon="bot" busy=${isBusy} onClick=${open}>${t("bots.talk_to_assistant")}<//>`;
}
