import { html, useEffect, useRef, useState } from "../html.js";
import { t } from "../i18n.js";
import { ApiError } from "../store/requests.js";
import { findUsers } from "../store/friends.js";
import { chats, friends, isBot, user } from "../store/state.js";
import { Avatar, Dialog, EmptyState, Notice, openDialog, SearchField, Skeleton, Spinner, Tag } from "../ui/index.js";
import { BefriendButton, InviteForm } from "./invite_form.js";
import { LongList, moveAmongRows } from "./long_list.js";
import { relation } from "./relation.js";

/** After so long without another letter the server is asked. */
const PAUSE_MS = 250;

const NOTHING = { text: "", ids: null, error: null };

/** The best matches first: the name itself or the id, then names that begin so; the server sorts by id. */
function rankUsers(users, text) {
  const rank = ({ id, user_name: name }) =>
    (name === text || String(id) === text.replace(/^#/, "") ? 0 : name.startsWith(text) ? 1 : 2);
  return [...users].sort((one, other) => rank(one) - rank(other)); // the sort is stable
}

/** What is found for a text: {text it is for, ids or null, error}; the newest text wins. */
function useSearch(text) {
  const [found, setFound] = useState(NOTHING);
  const [tries, setTries] = useState(0);
  const pause = useRef(PAUSE_MS);
  useEffect(() => {
    if (!text) {
      setFound(NOTHING);
      return undefined;
    }
    let isCurrent = true;
    const ask = async () => {
      try {
        const users = rankUsers(await findUsers(text), text);
        if (isCurrent) setFound({ text, ids: users.map(({ id }) => id), error: null });
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (isCurrent) setFound({ text, ids: null, error });
      }
    };
    const timer = setTimeout(ask, pause.current);
    pause.current = PAUSE_MS;
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [text, tries]);
  const searchNow = () => {
    pause.current = 0;
    setTries(tries + 1);
  };
  return { ...found, isSearching: text !== found.text, searchNow };
}

function FoundPerson({ userId, source, isInviting, setInviting, onInvited, onLeave }) {
  const { user_name: name } = user(userId);
  const nickname = friends.value.get(userId)?.nickname;
  const texts = [
    relation(userId) === "friend" && t("friends.friend"), nickname, t("friends.id", { id: userId }),
  ];
  const row = useRef(null);
  const leaveForm = () => {
    setInviting(false);
    // The form had the focus; where the button was, the focus goes to it, or to the search if it is a word now.
    requestAnimationFrame(() =>
      (row.current?.querySelector("button") ?? row.current?.closest("dialog")?.querySelector("input"))?.focus());
  };
  return html`
    <li class=${`found-person ${isInviting ? "found-person-open" : ""}`} ref=${row}>
      <div class="row">
        <${Avatar} userId=${userId} size=${40} showPresence />
        <div class="row-words">
          <div class="person-row-name">
            <span class="row-title">${name}</span>
            ${isBot(userId) && html`<${Tag}>${t("common.bot")}<//>`}
          </div>
          <div class="row-text">${texts.filter(Boolean).join(" · ")}</div>
        </div>
        <div class="row-actions">
          ${!isInviting && html`<${BefriendButton} userId=${userId} source=${source} size="s"
            onInvite=${() => setInviting(true)} onLeave=${onLeave} />`}
        </div>
      </div>
      ${isInviting &&
      html`<${InviteForm} userId=${userId} source=${source} onCancel=${leaveForm} onDone=${() => {
        leaveForm();
        onInvited(name);
      }} />`}
    </li>
  `;
}

function FindPeople({ chatId, close }) {
  const [text, setText] = useState("");
  const [invitingId, setInvitingId] = useState(null);
  const [invitedName, setInvitedName] = useState(null); // read out here: the toast lies outside of the dialog
  const trimmed = text.trim();
  const { text: foundText, ids, error, isSearching, searchNow } = useSearch(trimmed);
  const members = chats.value.get(chatId)?.member_ids ?? [];
  const onKeyDown = (event) => {
    if (event.key === "Enter" && trimmed) {
      event.preventDefault();
      searchNow();
    }
  };
  const content = () => {
    if (!trimmed) {
      return html`<${EmptyState} icon="search" title=${t("friends.find_title")} text=${t("friends.find_text")} />`;
    }
    if (error && !isSearching) {
      return html`<${Notice} kind="error">${error.message}<//>`;
    }
    if (!ids) {
      return html`<${Skeleton} rows=${4} />`;
    }
    if (!ids.length) {
      return !isSearching && html`<${EmptyState} icon="user" title=${t("friends.nobody_found_title", { text: trimmed })}
        text=${t("friends.nobody_found_text")} />`;
    }
    return html`
      <${LongList} key=${foundText} items=${ids} aria-label=${t("friends.found")} row=${(userId) => html`
        <${FoundPerson} key=${userId} userId=${userId} source=${members.includes(userId) ? chatId : "search"}
          isInviting=${userId === invitingId} onLeave=${close} onInvited=${setInvitedName}
          setInviting=${(isWanted) => setInvitingId(isWanted ? userId : null)} />
      `} />
    `;
  };
  return html`
    <${Dialog} title=${t("chats.find_people")} onClose=${() => close()} class="find-people">
      <div onKeyDown=${moveAmongRows}>
        <div class="find-people-search">
          <${SearchField} label=${t("friends.find_label")} value=${text} onInput=${setText} onKeyDown=${onKeyDown}
            data-autofocus maxLength=${64} />
          <span class="find-people-busy">${trimmed && isSearching && ids && html`<${Spinner} size=${18} />`}</span>
        </div>
        <p class="visually-hidden" role="status">
          ${trimmed && !isSearching && ids && t("friends.found_count", { count: ids.length })}
        </p>
        <p class="visually-hidden" role="status">
          ${invitedName && t("friends.invitation_sent", { name: invitedName })}
        </p>
        <div class="find-people-results">${content()}</div>
      </div>
    <//>
  `;
}

/**
 * Open the dialog in which one finds people by name or id, and invites them.
 *
 * @param {{chatId?: number|null}} [options] `chatId`: the chat from where it was opened; its members are told that they
 *   are known from there
 * @returns {Promise<void>} resolves when it is closed
 */
export function openFindPeople({ chatId = null } = {}) {
  return openDialog((close) => html`<${FindPeople} chatId=${chatId} close=${() => close()} />`);
}
