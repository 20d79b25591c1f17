/** The friends, sorted into their groups. */

import { html, useId, useState } from "../html.js";
import { language, t } from "../i18n.js";
import { preference } from "../preferences.js";
import { displayName, friendGroups, friends, isBot, online, user } from "../store/state.js";
import { Avatar, EmptyState, Icon, IconButton, isPhone, Menu, openMenu, Tag } from "../ui/index.js";
import { friendGroupMenu, friendGroupName, friendMenu, moveFriend } from "./friend_actions.js";
import { LongList, Rows } from "./long_list.js";
import { openPrivateChat } from "./relation.js";

/** What is dragged is a friend of this page. */
const DRAG_TYPE = "application/x-nova-friend";

/** How friends are sorted within their groups: "online" (those first) or "name". */
export const friendsOrder = preference("friends_order", "online");

/** Ids of the friend groups that are folded up. */
const foldedGroups = preference("folded_friend_groups", []);

/**
 * Ids of users as they are shown: those online first if the user wants that, then by name.
 *
 * @param {number[]} ids
 * @param {boolean} [isOnlineFirst]
 * @returns {number[]} a new list
 */
export function sortUsers(ids, isOnlineFirst = friendsOrder.value === "online") {
  const { compare } = new Intl.Collator(language.value, { numeric: true });
  const names = new Map(ids.map((id) => [id, displayName(id)]));
  const rank = (id) => (isOnlineFirst && !online.value.has(id) ? 1 : 0);
  return [...ids].sort((one, other) =>
    rank(one) - rank(other) || compare(names.get(one), names.get(other)) || one - other);
}

/**
 * Whether a user is meant by what was typed: a part of the name or of the nickname, or the id.
 *
 * @param {number} id
 * @param {string} query case does not count; "" is everybody
 */
export function matchesUser(id, query) {
  const wanted = query.trim().toLocaleLowerCase();
  return [displayName(id), user(id).user_name].some((name) => name.toLocaleLowerCase().includes(wanted)) ||
    String(id) === wanted;
}

function FriendRow({ userId, isSelected }) {
  const name = displayName(userId);
  const { user_name: userName } = user(userId);
  const items = friendMenu(userId);
  const onContextMenu = (event) => {
    event.preventDefault();
    openMenu({ items, at: { x: event.clientX, y: event.clientY }, label: name });
  };
  const onDragStart = (event) => {
    event.dataTransfer.setData(DRAG_TYPE, String(userId));
    event.dataTransfer.effectAllowed = "move";
  };
  return html`
    <li class="person-row" draggable=${!isPhone.value} onDragStart=${onDragStart} onContextMenu=${onContextMenu}>
      <a class="row" data-row href=${`#/friends/${userId}`} aria-current=${isSelected ? "page" : undefined}
        draggable=${false}>
        <${Avatar} userId=${userId} size=${40} showPresence />
        <span class="row-words">
          <span class="person-row-name">
            <span class="row-title">${name}</span>${isBot(userId) && html`<${Tag}>${t("common.bot")}<//>`}
          </span>
          ${name !== userName && html`<span class="row-text">${userName}</span>`}
        </span>
      </a>
      <span class="person-row-actions">
        <${IconButton} icon="chat" label=${t("friends.message_to", { name })}
          onClick=${() => openPrivateChat(userId)} />
        <${Menu} items=${items} label=${t("friends.menu_of", { name })} />
      </span>
    </li>
  `;
}

function FriendGroup({ group, ids, selectedId }) {
  const id = useId();
  const [isTarget, setTarget] = useState(false);
  const isFolded = foldedGroups.value.includes(group.group_id);
  const name = friendGroupName(group);
  const onlineCount = ids.filter((userId) => online.value.has(userId)).length;
  const fold = (isWanted) => {
    const others = foldedGroups.value.filter((other) => other !== group.group_id);
    foldedGroups.value = isWanted ? [...others, group.group_id] : others;
  };
  const onKeyDown = (event) => {
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      fold(event.key === "ArrowLeft");
    }
  };
  const onDragOver = (event) => {
    if (event.dataTransfer.types.includes(DRAG_TYPE)) {
      event.preventDefault();
      event.dataTransfer.dropEffect = "move";
      setTarget(true);
    }
  };
  const onDragLeave = (event) => {
    if (!event.currentTarget.contains(event.relatedTarget)) {
      setTarget(false);
    }
  };
  const onDrop = (event) => {
    setTarget(false);
    const userId = Number(event.dataTransfer.getData(DRAG_TYPE));
    if (userId) {
      event.preventDefault();
      moveFriend(userId, group.group_id);
    }
  };
  return html`
    <section class=${`friend-group ${isTarget ? "friend-group-target" : ""}`} aria-labelledby=${`${id}-name`}
      onDragOver=${onDragOver} onDragLeave=${onDragLeave} onDrop=${onDrop}>
      <div class="friend-group-header">
        <h2>
          <button type="button" class="friend-group-toggle" data-row aria-expanded=${isFolded ? "false" : "true"}
            aria-controls=${`${id}-list`} onClick=${() => fold(!isFolded)} onKeyDown=${onKeyDown}>
            <${Icon} name="chevron-down" size=${16} />
            <span class="truncate" id=${`${id}-name`}>${name}</span>
            <span class="friend-group-count" aria-hidden="true">${onlineCount}/${ids.length}</span>
            <span class="visually-hidden">${t("friends.group_count", { count: ids.length, online: onlineCount })}</span>
          </button>
        </h2>
        ${group.group_name &&
        html`<${Menu} items=${friendGroupMenu(group)} label=${t("friends.group_menu_of", { name })} />`}
      </div>
      <div id=${`${id}-list`} hidden=${isFolded}>
        ${!isFolded && (ids.length
          ? html`<${LongList} items=${ids} row=${(userId) => html`
              <${FriendRow} key=${userId} userId=${userId} isSelected=${userId === selectedId} />
            `} />`
          : html`<p class="friend-group-empty">${t("friends.group_empty")}</p>`)}
      </div>
    </section>
  `;
}

/**
 * All friends by group; while one searches, those who are meant.
 *
 * @param {{query: string, selectedId: number|null}} props
 */
export function FriendList({ query, selectedId }) {
  if (query.trim()) {
    const found = sortUsers([...friends.value.keys()].filter((id) => matchesUser(id, query)));
    return html`
      <${Rows}>
        <p class="visually-hidden" role="status">${t("friends.found_count", { count: found.length })}</p>
        ${found.length
          ? html`<${LongList} items=${found} row=${(userId) => html`
              <${FriendRow} key=${userId} userId=${userId} isSelected=${userId === selectedId} />
            `} />`
          : html`<${EmptyState} icon="search" title=${t("common.nothing_found")} text=${t("friends.nobody_found")} />`}
      <//>
    `;
  }
  const byGroup = new Map(friendGroups.value.map((group) => [group.group_id, []]));
  for (const [userId, { group_id: groupId }] of friends.value) {
    byGroup.get(groupId)?.push(userId);
  }
  return html`
    <${Rows}>
      ${friendGroups.value.map((group) => html`
        <${FriendGroup} key=${group.group_id} group=${group} ids=${sortUsers(byGroup.get(group.group_id))}
          selectedId=${selectedId} />
      `)}
    <//>
  `;
}
