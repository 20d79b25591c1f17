/** The head of a conversation: with whom, whether they are there, and what there is beside the messages. */

import { html } from "../html.js";
import { t } from "../i18n.js";
import { chatPanels } from "../registry.js";
import { navigate } from "../route.js";
import { chatTitle, isBot, online, otherMember } from "../store/state.js";
import { ChatAvatar, IconButton, isPhone, Menu, Tag } from "../ui/index.js";
import { DETAILS } from "./details.js";
import { TypingDots, typingWords } from "./typing_notice.js";

/** So many panels have a button of their own where there is room; the others are in the menu. */
const BUTTONS_MAX = 2;

function Presence({ chat }) {
  const typing = typingWords(chat);
  if (typing) return html`<span class="chat-typing"><${TypingDots} /> ${typing}</span>`;
  const otherId = otherMember(chat);
  if (otherId !== null) {
    const isOnline = online.value.has(otherId);
    if (isBot(otherId)) return t("chat.bot_ready");
    return isOnline ? html`<span class="chat-online">${t("common.online")}</span>` : t("common.offline");
  }
  const present = chat.member_ids.filter((id) => online.value.has(id)).length;
  const members = t("members.count", { count: chat.member_ids.length });
  return present ? `${members}, ${t("members.online_count", { count: present })}` : members;
}

/** The panels of plugins that concern a chat. */
const panelsOf = (chat) => chatPanels.value.filter((panel) => panel.appliesTo(chat));

/**
 * The header.
 * @param {{chat: object, panel: string|null}} props `panel`: the one that is open
 */
export function ChatHeader({ chat, panel }) {
  const chatId = chat.chat_id;
  const otherId = otherMember(chat);
  const toggle = (id) => navigate(panel === id ? `#/chats/${chatId}` : `#/chats/${chatId}/panel/${id}`);
  const panels = panelsOf(chat);
  const buttons = isPhone.value ? [] : panels.slice(0, BUTTONS_MAX);
  const rest = panels.slice(buttons.length);
  const details = t(chat.is_private ? "chat.profile" : "chat.details");
  const isOpen = panel === DETAILS;
  const Heading = isPhone.value ? "h1" : "h2"; // there the list, whose title is the first one, is out of sight
  return html`
    <header class="pane-header chat-header">
      <${IconButton} icon="back" label=${t("common.back")} class="phones-only pane-back"
        onClick=${() => navigate("#/chats")} />
      <div class="chat-headline">
        <${ChatAvatar} chat=${chat} size=${38} />
        <div class="pane-titles">
          <${Heading} class="pane-title chat-headline-name" tabindex="-1">
            <button type="button" class="chat-headline-button truncate" title=${details} aria-expanded=${String(isOpen)}
              onClick=${() => toggle(DETAILS)}>${chatTitle(chat)}</button>
            ${otherId !== null && isBot(otherId) && html`<${Tag} tone="accent">${t("common.bot")}<//>`}
          <//>
          <div class="pane-subtitle truncate"><${Presence} chat=${chat} /></div>
        </div>
      </div>
      <div class="pane-actions">
        ${buttons.map(({ id, title, icon }) => html`
          <${IconButton} key=${id} icon=${icon} label=${title()} aria-pressed=${panel === id ? "true" : "false"}
            onClick=${() => toggle(id)} />
        `)}
        ${rest.length > 0 && html`
          <${Menu} label=${t("chat.menu")} items=${[
            ...rest.map(({ id, title, icon }) => ({ label: title(), icon, onSelect: () => toggle(id) })),
            "-",
            { label: details, icon: chat.is_private ? "user" : "users", onSelect: () => toggle(DETAILS) },
          ]} />
        `}
        ${rest.length === 0 && html`
          <${IconButton} icon="info" label=${details} aria-pressed=${isOpen ? "true" : "false"}
            onClick=${() => toggle(DETAILS)} />
        `}
      </div>
    </header>
  `;
}
