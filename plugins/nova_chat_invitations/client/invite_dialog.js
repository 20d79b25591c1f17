/** Choosing friends for a group. */

import {
  Avatar, Button, Checkbox, Dialog, EmptyState, formatList, html, navigate, Notice, openDialog, SearchField, showToast,
  state, t, Tag, useState,
} from "nova";
import { propose } from "./proposals.js";

const matches = (text, id) =>
  [state.displayName(id), state.user(id).user_name].some((name) => name.toLowerCase().includes(text));

function Friend({ userId, isChosen, isBusy, onChange }) {
  const name = state.displayName(userId);
  const { user_name: userName, is_bot: isBot } = state.user(userId);
  return html`
    <label class="row invitations-friend">
      <${Avatar} userId=${userId} size=${36} showPresence=${true} />
      <span class="row-words">
        <span class="row-title">${name} ${isBot && html`<${Tag}>${t("invitations.bot")}<//>`}</span>
        ${name !== userName && html`<span class="row-text">${userName}</span>`}
      </span>
      <${Checkbox} label=${name} hideLabel=${true} checked=${isChosen} disabled=${isBusy} onChange=${onChange} />
    </label>
  `;
}

function InviteDialog({ chatId, close }) {
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState([]);
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const chat = state.chats.value.get(chatId);
  if (!chat) return null;
  const isManager = state.myRole(chat) !== "member";
  const candidates = [...state.friends.value.keys()].filter((id) => !chat.member_ids.includes(id));
  const shown = candidates.filter((id) => matches(text.trim().toLowerCase(), id))
    .sort((one, other) => state.displayName(one).localeCompare(state.displayName(other)));
  const choose = (id, isChosen) => setChosen(isChosen ? [...chosen, id] : chosen.filter((other) => other !== id));

  const submit = async () => {
    setBusy(true);
    setError(null);
    const done = [];
    try {
      for (const id of chosen) {
        await propose(chat, id);
        done.push(id);
      }
      close();
      const names = formatList(done.map(state.displayName));
      const said = t(isManager ? "invitations.added" : "invitations.proposed", { names, group: chat.chat_name });
      showToast(said, { kind: "success" });
    } catch (failure) {
      const name = state.displayName(chosen[done.length]);
      setChosen(chosen.slice(done.length));
      setError(t("invitations.failed", { name, reason: failure.message }));
      setBusy(false);
    }
  };
  const findPeople = () => {
    close();
    navigate("#/friends/find");
  };
  const label = t(isManager ? "invitations.add" : "invitations.propose");
  const footer = candidates.length > 0 && html`
    <${Button} onClick=${() => close()}>${t("invitations.cancel")}<//>
    <${Button} type="submit" variant="primary" busy=${isBusy} disabled=${!chosen.length}>
      ${chosen.length ? `${label} (${chosen.length})` : label}<//>
  `;
  return html`
    <${Dialog} title=${t("invitations.invite")} class="invitations-dialog" footer=${footer} onClose=${() => close()}
      onSubmit=${() => chosen.length && !isBusy && submit()}>
      ${candidates.length === 0
        ? html`
          <${EmptyState} icon="friends" text=${t("invitations.no_candidates_text")}
            title=${t(state.friends.value.size ? "invitations.all_are_members" : "invitations.no_friends")}>
            <${Button} variant="primary" icon="search" onClick=${findPeople}>${t("invitations.find_people")}<//>
          <//>`
        : html`
          <p class="dialog-text">${t(isManager ? "invitations.manager_hint" : "invitations.member_hint")}</p>
          ${error && html`<${Notice} kind="error">${error}<//>`}
          <div class="invitations-search">
            <${SearchField} label=${t("invitations.search")} value=${text} onInput=${setText} />
          </div>
          <div class="invitations-friends" role="group" aria-label=${t("invitations.friends")}>
            ${shown.map((id) => html`
              <${Friend} key=${id} userId=${id} isChosen=${chosen.includes(id)} isBusy=${isBusy}
                onChange=${(isChosen) => choose(id, isChosen)} />
            `)}
            ${!shown.length && html`<p class="muted small invitations-nobody">${t("invitations.nobody")}</p>`}
          </div>`}
    <//>
  `;
}

/**
 * Let the user choose friends who are to become members of a group.
 * @param {number} chatId
 */
export const openInviteDialog = (chatId) =>
  openDialog((close) => html`<${InviteDialog} chatId=${chatId} close=${close} />`);
