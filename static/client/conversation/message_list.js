/** The messages of a chat: the list that scrolls. */

import { html, useLayoutEffect, useRef } from "../html.js";
import { formatDay, t } from "../i18n.js";
import { conversation, openChat } from "../store/conversations.js";
import { pending } from "../store/outbox.js";
import { chatTitle, me } from "../store/state.js";
import { Button, EmptyState, IconButton } from "../ui/index.js";
import { Announcer } from "./announcer.js";
import { useListPlace } from "./list_place.js";
import { Message } from "./message.js";
import { useMessageKeys } from "./message_keys.js";
import { useMessageMenu } from "./message_menu.js";
import { timeline } from "./timeline.js";

/** More is not counted on the button. */
const COUNT_MAX = 99;

/** Grey bubbles where history will be; as tall as ever, so that their going moves nothing by itself. */
const Edge = () => html`
  <div class="message-edge" aria-hidden="true">
    ${[62, 38, 50].map((percent) => html`<i key=${percent} class="skeleton" style=${{ inlineSize: `${percent}%` }} />`)}
  </div>
`;

const DayMark = ({ time_s }) => html`<h2 class="day-mark"><span>${formatDay(time_s)}</span></h2>`;

/** One drawing for each row: the same object again makes preact pass over it. */
function drawn(row) {
  row.drawing ??= html`<${Message} key=${row.key} row=${row} />`;
  return row.drawing;
}

function JumpButton({ chat, isAtEnd, isBusy, onClick }) {
  if (isAtEnd.value) return null;
  const count = chat.unread_count;
  return html`
    <div class="jump">
      <${IconButton} icon="down" variant="secondary" busy=${isBusy} onClick=${onClick}
        label=${count ? t("message.jump_to_new", { count }) : t("message.jump_to_newest")}>
        ${count > 0 && html`
          <span class="jump-count badge badge-accent" aria-hidden="true">
            ${count > COUNT_MAX ? `${COUNT_MAX}+` : count}
          </span>
        `}
      <//>
    </div>
  `;
}

function Trouble({ chatId, error }) {
  return html`
    <div class="message-trouble" role="alert">
      <span>${error}</span>
      <${Button} size="s" icon="refresh" onClick=${() => openChat(chatId)}>${t("common.try_again")}<//>
    </div>
  `;
}

/** What one sends oneself, one sees. */
function useShowOwn(sendings, goToEnd) {
  const newestMs = sendings.at(-1)?.created_at_ms ?? 0;
  const seenMs = useRef(newestMs);
  useLayoutEffect(() => {
    if (newestMs > seenMs.current) goToEnd();
    seenMs.current = Math.max(seenMs.current, newestMs);
  }, [newestMs]);
}

/**
 * The list.
 * @param {object} props
 * @param {object} props.chat as the store has it
 * @param {() => void} props.onArrive a jump that the address asked for has begun
 * @param {() => void} props.onLeave the keyboard leaves the list: the composer takes the focus
 */
export function MessageList({ chat, onArrive, onLeave }) {
  const chatId = chat.chat_id;
  const loaded = conversation(chatId);
  const scroller = useRef(null);
  const content = useRef(null);
  const rows = useRef(new Map());

  const isEndLoaded = loaded.atEnd.value;
  const sendings = pending(chatId);
  const made = timeline({
    chat,
    me: me.value,
    messages: loaded.messages.value,
    sendings: isEndLoaded ? sendings : [],
    separatorId: loaded.newestReadSeparatorId.value,
  }, rows.current);
  rows.current = made.rows;

  const { isAtEnd, goToEnd } = useListPlace(chatId, { scroller, content }, onArrive);
  useShowOwn(sendings, goToEnd);
  const list = { scroller, rows, goToEnd, onLeave };
  const keys = useMessageKeys(list);
  const menu = useMessageMenu(list);

  const isFirstLoad = loaded.isLoading.value === "first";
  const error = loaded.error.value;
  const isEmpty = rows.current.size === 0;
  return html`
    <div class="message-area">
      <div ref=${scroller} class="message-scroller" role="log" aria-live="off" tabindex="0"
        aria-label=${t("message.list", { chat: chatTitle(chat) })} aria-busy=${isFirstLoad ? "true" : "false"}
        ...${keys} ...${menu}>
        <div ref=${content} class="message-content">
          ${(isEmpty ? isFirstLoad : !loaded.atBeginning.value) && html`<${Edge} key="before" />`}
          ${made.days.map((day) => html`
            <section key=${day.key} class="message-day">
              <${DayMark} time_s=${day.time_s} />
              ${day.rows.map(drawn)}
            </section>
          `)}
          ${!isEmpty && !isEndLoaded && html`<${Edge} key="behind" />`}
        </div>
        ${isEmpty && isEndLoaded && html`
          <${EmptyState} icon="chat" title=${t("message.none_title")} text=${t("message.none_text")} />
        `}
      </div>
      ${error && html`<${Trouble} chatId=${chatId} error=${error} />`}
      <${JumpButton} chat=${chat} isAtEnd=${isAtEnd} isBusy=${isFirstLoad && !isEmpty} onClick=${goToEnd} />
      <${Announcer} chatId=${chatId} />
    </div>
  `;
}
