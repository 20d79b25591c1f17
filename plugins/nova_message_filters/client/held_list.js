/** Held messages to be answered: in the panel of a group, and of all groups in the notification centre. */

import {
  Avatar, Button, EmptyState, formatDate, formatRelative, html, Icon, keepFocus, navigate, Notice, showToast, Skeleton,
  state, t, useEffect, useState,
} from "nova";
import { allHeld, answerHeld, heldMessages, loadHeld } from "./held.js";

/** A longer text is folded. */
const FOLDED_FROM_CHARACTERS = 400;

function HeldText({ text }) {
  const [isOpen, setOpen] = useState(false);
  const isLong = text.length > FOLDED_FROM_CHARACTERS;
  return html`
    <p class=${`filters-held-text ${isLong && !isOpen ? "filters-held-folded" : ""}`}>${text}</p>
    ${isLong && html`
      <button type="button" class="filters-unfold" aria-expanded=${isOpen ? "true" : "false"}
        onClick=${() => setOpen(!isOpen)}>${t(isOpen ? "filters.fold" : "filters.unfold")}</button>`}
  `;
}

function HeldRow({ held, withGroup }) {
  const [answer, setAnswer] = useState(null);
  const name = state.displayName(held.sender.id);
  const chat = state.chats.value.get(held.chat_id);
  const show = (messageId) => navigate(`#/chats/${held.chat_id}/messages/${messageId}`);
  const give = async (isApproved, button) => {
    const focusNext = keepFocus(button);
    setAnswer(isApproved ? "approve" : "decline");
    try {
      const done = await answerHeld(held, isApproved);
      if (done === false) showToast(t("filters.held_gone"));
      else if (!isApproved) showToast(t("filters.held_declined", { name }), { kind: "success" });
      else showToast(t("filters.held_approved", { name }), { kind: "success",
        action: withGroup && { label: t("filters.show"), run: () => show(done) } });
    } catch (error) {
      showToast(error.message, { kind: "error" });
      setAnswer(null);
    }
    focusNext();
  };
  return html`
    <li class="filters-held">
      <div class="filters-held-head">
        <${Avatar} userId=${held.sender.id} size=${36} />
        <div class="row-words">
          <div class="row-title">${name}</div>
          <div class="filters-held-why">
            ${withGroup && chat && html`<a href=${`#/chats/${held.chat_id}`}>${chat.chat_name}</a> · `}
            <span title=${formatDate(held.held_at)}>${formatRelative(held.held_at)}</span>
          </div>
        </div>
      </div>
      <${HeldText} text=${held.message} />
      <div class="filters-held-foot">
        <span class="filters-held-rule" title=${t("filters.held_by_rule", { rule: held.rule_name })}>
          <${Icon} name="shield" size=${16} />
          <span class="visually-hidden">${t("filters.rule")}: </span><span class="truncate">${held.rule_name}</span>
        </span>
        <span class="row-actions">
          <${Button} size="s" variant="ghost" disabled=${answer !== null} busy=${answer === "decline"}
            aria-label=${t("filters.decline_of", { name })} onClick=${(event) => give(false, event.currentTarget)}>
            ${t("filters.decline")}<//>
          <${Button} size="s" variant="primary" disabled=${answer !== null} busy=${answer === "approve"}
            aria-label=${t("filters.approve_of", { name })} onClick=${(event) => give(true, event.currentTarget)}>
            ${t("filters.approve")}<//>
        </span>
      </div>
    </li>
  `;
}

const Rows = ({ list, withGroup }) => html`
  <ul class=${`filters-held-list ${withGroup ? "filters-held-of-all" : ""}`}>
    ${list.map((held) => html`<${HeldRow} key=${held.held_id} held=${held} withGroup=${withGroup} />`)}
  </ul>
`;

/**
 * What waits in one group.
 * @param {{chat: object}} props
 */
export function HeldOfGroup({ chat }) {
  useEffect(() => loadHeld(chat.chat_id), [chat.chat_id]);
  const { items, error } = heldMessages.value.get(chat.chat_id) ?? {};
  if (error && !items) {
    return html`
      <div class="filters-note">
        <${Notice} kind="error">${error.message}<//>
        <${Button} icon="refresh" onClick=${() => loadHeld(chat.chat_id)}>${t("filters.retry")}<//>
      </div>
    `;
  }
  if (!items) return html`<${Skeleton} rows=${2} />`;
  if (!items.length) {
    return html`<${EmptyState} icon="check" title=${t("filters.nothing_held")}
      text=${t("filters.nothing_held_text")} />`;
  }
  return html`<${Rows} list=${items} />`;
}

/** What waits in all groups that the user manages; nothing as long as there is none. */
export function HeldOfAllGroups() {
  useEffect(() => [...heldMessages.peek().keys()].forEach(loadHeld), []);
  const list = allHeld.value;
  if (!list.length) return null;
  return html`
    <section aria-label=${t("filters.held")}>
      <h3 class="section-title">${t("filters.held")}</h3>
      <${Rows} list=${list} withGroup=${true} />
    </section>
  `;
}
