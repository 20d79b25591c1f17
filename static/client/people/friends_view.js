import { html, useEffect, useLayoutEffect, useRef, useState } from "../html.js";
import { t } from "../i18n.js";
import { peopleSections } from "../registry.js";
import { navigate, route } from "../route.js";
import { friendGroups, friends, isLoaded } from "../store/state.js";
import { Button, EmptyState, IconButton, isPhone, Menu, Pane, Panes, SearchField, Skeleton } from "../ui/index.js";
import { openFindPeople } from "./find_people.js";
import { openNewFriendGroup } from "./friend_actions.js";
import { FriendList, friendsOrder } from "./friend_list.js";
import { PersonPanel } from "./person_panel.js";

/** Sections that plugins add below the friends. */
function Sections() {
  return peopleSections.value.map(({ id, component: Component }) => html`
    <section class="people-section" key=${id}><${Component} /></section>
  `);
}

function NoFriends() {
  return html`
    <${EmptyState} icon="friends" title=${t("friends.empty_title")} text=${t("friends.empty_text")}>
      <${Button} variant="primary" icon="user-plus" onClick=${openFindPeople}>${t("chats.find_people")}<//>
    <//>
  `;
}

function ListPane({ selectedId, list }) {
  const [query, setQuery] = useState("");
  const orders = ["online", "name"];
  const actions = html`
    <${IconButton} icon="user-plus" label=${t("chats.find_people")} onClick=${openFindPeople} />
    <${Menu} label=${t("friends.list_menu")} items=${[
      { label: t("friends.new_group"), icon: "plus", onSelect: openNewFriendGroup },
      "-",
      ...orders.map((order) => ({
        label: t(`friends.order_${order}`),
        checked: friendsOrder.value === order,
        onSelect: () => (friendsOrder.value = order),
      })),
    ]} />
  `;
  const onKeyDown = (event) => {
    const [first] = list.current?.querySelectorAll("a[data-row]") ?? [];
    if (event.key === "ArrowDown" && first) {
      event.preventDefault();
      first.focus();
    } else if (event.key === "Enter" && query.trim() && first) {
      navigate(first.getAttribute("href"));
    }
  };
  const hasFriends = friends.value.size > 0;
  // Whoever has made groups sees them, even if nobody is in them. Wide screens have the empty state beside the list.
  const hasList = hasFriends || friendGroups.value.length > 1 || !isPhone.value;
  const search = hasFriends && html`
    <${SearchField} label=${t("friends.search")} value=${query} onInput=${setQuery} onKeyDown=${onKeyDown} />
  `;
  const content = () => {
    if (!isLoaded.value) {
      return html`<${Skeleton} rows=${7} />`;
    }
    return html`
      ${hasList
        ? html`<${FriendList} query=${query} selectedId=${selectedId} />`
        : html`<div class="friends-empty"><${NoFriends} /></div>`}
      ${!query.trim() && html`<${Sections} />`}
    `;
  };
  return html`
    <${Pane} title=${t("friends.title")} headingLevel="h1" actions=${actions} below=${search} scrollRef=${list}>
      <div class="friend-list">${content()}</div>
    <//>
  `;
}

function Main({ selectedId }) {
  if (selectedId === null && isLoaded.value && !friends.value.size) {
    return html`<${NoFriends} />`;
  }
  if (selectedId === null) {
    return html`<${EmptyState} icon="friends" title=${t("friends.none_open_title")}
      text=${t("friends.none_open_text")} />`;
  }
  return html`
    <${Pane} key=${selectedId} title=${t("profile.card")} onBack=${() => navigate("#/friends")} backOnPhonesOnly
      isNarrow>
      <${PersonPanel} userId=${selectedId} />
    <//>
  `;
}

/** On phones the card replaces the list and the other way round: the focus goes to its title, and back to the row. */
function useFocus(selectedId) {
  const last = useRef(selectedId);
  useLayoutEffect(() => {
    const before = last.current;
    last.current = selectedId;
    if (isPhone.peek() && before !== selectedId) {
      const target = selectedId === null
        ? document.querySelector(`.friend-list a[href="#/friends/${before}"]`)
        : document.querySelector(".panes-main .pane-title");
      target?.focus({ preventScroll: true });
    }
  }, [selectedId]);
}

/** The view "friends": #/friends, #/friends/<user id> and #/friends/find, which opens the search for people. */
export function FriendsView() {
  const [param] = route.value.params;
  const selectedId = /^[1-9]\d*$/.test(param ?? "") ? Number(param) : null;
  const list = useRef(null);
  useFocus(selectedId);
  useEffect(() => {
    if (param === "find") {
      navigate("#/friends", { replace: true });
      openFindPeople();
    }
  }, [param]);
  return html`
    <${Panes} listLabel=${t("friends.title")} isMainOpen=${selectedId !== null}
      list=${html`<${ListPane} selectedId=${selectedId} list=${list} />`}
      main=${html`<${Main} selectedId=${selectedId} />`} />
  `;
}
