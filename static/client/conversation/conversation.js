/** A chat: its head, its messages, the composer, and what is beside them. */

import { html, signal, useLayoutEffect, useRef, useState } from "../html.js";
import { t } from "../i18n.js";
import { navigate, route } from "../route.js";
import { closeChat, openChat } from "../store/conversations.js";
import { chats, isLoaded } from "../store/state.js";
import { EmptyState, LinkButton, Skeleton } from "../ui/index.js";
import { ChatHeader } from "./chat_header.js";
import { Composer } from "./composer.js";
import { composer } from "./composer_state.js";
import { Details } from "./details.js";
import { useDropZone } from "./drop_zone.js";
import { MessageList } from "./message_list.js";
import { rememberedMessageId } from "./positions.js";
import { Readers } from "./readers.js";
import { TypingNotice } from "./typing_notice.js";

/** From this width on the details lie beside the messages, as the style sheet has it. */
const wide = matchMedia("(min-width: 1180px)");
const isWide = signal(wide.matches);
wide.addEventListener("change", () => (isWide.value = wide.matches));

/** The panel that is open. A jump to a message leaves it open where it hides nothing. */
function usePanel(chatId) {
  const last = useRef(null);
  const { chatId: ofChat, messageId, panel } = route.value;
  if (ofChat !== chatId || messageId === null) last.current = ofChat === chatId ? panel : null;
  else if (!isWide.value) last.current = null;
  const address = last.current === null ? `#/chats/${chatId}` : `#/chats/${chatId}/panel/${last.current}`;
  return { panel: last.current, address };
}

function Open({ chat, isGone, isOpened }) {
  const chatId = chat.chat_id;
  const { panel, address } = usePanel(chatId);
  const { handlers, cover } = useDropZone(chatId, !isGone);
  return html`
    <div class=${`conversation ${panel === null ? "" : "conversation-with-details"}`}>
      <div class="conversation-main" ...${handlers}>
        <${ChatHeader} chat=${chat} panel=${panel} />
        ${isOpened
          ? html`<${MessageList} chat=${chat} onArrive=${() => navigate(address, { replace: true })}
              onLeave=${() => composer(chatId).focus()} />`
          : html`<div class="message-area"></div>`}
        <${TypingNotice} chat=${chat} />
        <${Composer} chat=${chat} isGone=${isGone} />
        ${cover}
      </div>
      ${panel !== null && html`<${Details} chat=${chat} panel=${panel} />`}
      <${Readers} />
    </div>
  `;
}

/**
 * The conversation of a chat.
 * @param {{chatId: number}} props another one wants another `key`
 */
export function Conversation({ chatId }) {
  const known = chats.value.get(chatId);
  const lastKnown = useRef(null);
  lastKnown.current = known ?? lastKnown.current;
  const [isOpened, setOpened] = useState(false);
  const isThere = Boolean(lastKnown.current);
  useLayoutEffect(() => {
    if (!isThere) return undefined;
    const { chatId: toChat, messageId } = route.peek();
    openChat(chatId, (toChat === chatId ? messageId : null) ?? rememberedMessageId(chatId));
    setOpened(true); // not before the store knows what is unread
    return closeChat;
  }, [isThere]);
  if (isThere) return html`<${Open} chat=${lastKnown.current} isGone=${!known} isOpened=${isOpened} />`;
  if (!isLoaded.value) return html`<div class="conversation-main"><${Skeleton} lines=${4} /></div>`;
  return html`
    <${EmptyState} icon="chat" title=${t("chat.unknown_title")} text=${t("chat.unknown_text")}>
      <${LinkButton} href="#/chats">${t("chat.to_all")}<//>
    <//>
  `;
}
