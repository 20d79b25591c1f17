import { html, useState } from "../html.js";
import { t } from "../i18n.js";
import { displayName, isBot, me, online, user } from "../store/state.js";
import { matchesUser, sortUsers } from "../people/friend_list.js";
import { LongList, Rows } from "../people/long_list.js";
import { openPersonCard } from "../people/person_panel.js";
import { relation } from "../people/relation.js";
import { Avatar, Menu, SearchField, Tag } from "../ui/index.js";
import { memberMenu, roleOf } from "./group_actions.js";

/** From so many members on there is a field to search with: fewer are seen at once. */
const SEARCH_FROM_MEMBERS = 10;

function MemberRow({ chat, userId }) {
  const name = displayName(userId);
  const isMe = userId === me.value?.id;
  const role = roleOf(chat, userId);
  const { user_name: userName } = user(userId);
  const items = memberMenu(chat, userId);
  return html`
    <li class="person-row">
      <button type="button" class="row" data-row onClick=${() => openPersonCard(userId, { chatId: chat.chat_id })}>
        <${Avatar} userId=${userId} size=${40} showPresence />
        <span class="row-words">
          <span class="person-row-name">
            <span class="row-title">${name}</span>
            ${isMe && html`<span class="muted">${t("members.you")}</span>`}
            ${role !== "member" && html`
              <${Tag} tone=${role === "owner" ? "accent" : "neutral"}>${t(`members.${role}`)}<//>
            `}
            ${isBot(userId) && html`<${Tag}>${t("common.bot")}<//>`}
          </span>
          ${name !== userName && relation(userId) !== "nobody" && html`
            <span class="row-text">${userName}</span>
          `}
        </span>
      </button>
      ${!isMe && html`
        <span class="person-row-actions person-row-actions-shown">
          ${items.length > 0 && html`<${Menu} items=${items} label=${t("members.menu_of", { name })} />`}
        </span>
      `}
    </li>
  `;
}

/**
 * The members of a group: the owner, the admins, then all others.
 *
 * @param {{chat: object}} props `chat` as the store has it
 */
export function MemberList({ chat }) {
  const [query, setQuery] = useState("");
  const ids = chat.member_ids.filter((id) => matchesUser(id, query));
  const ranks = { owner: 0, admin: 1, member: 2 };
  const sorted = sortUsers(ids, true).sort((one, other) => ranks[roleOf(chat, one)] - ranks[roleOf(chat, other)]);
  const onlineCount = chat.member_ids.filter((id) => online.value.has(id)).length;
  const counts = [
    t("members.count", { count: chat.member_ids.length }),
    onlineCount > 0 && t("members.online_count", { count: onlineCount }),
  ];
  return html`
    <${Rows} class="member-list" role="region" aria-label=${t("members.title")}>
      <h4 class="section-title">${counts.filter(Boolean).join(" · ")}</h4>
      ${chat.member_ids.length >= SEARCH_FROM_MEMBERS && html`
        <div class="member-search">
          <${SearchField} label=${t("members.search")} value=${query} onInput=${setQuery} />
        </div>
      `}
      <${LongList} key=${query} items=${sorted} row=${(userId) => html`
        <${MemberRow} key=${userId} chat=${chat} userId=${userId} />
      `} />
      ${!sorted.length && html`<p class="picker-empty" role="status">${t("friends.nobody_found")}</p>`}
    <//>
  `;
}
