import { html, useEffect, useId, useRef, useState } from "../html.js";
import { t } from "../i18n.js";
import { displayName, friends, isBot, user } from "../store/state.js";
import { matchesUser, sortUsers } from "../people/friend_list.js";
import { LongList } from "../people/long_list.js";
import { Avatar, Icon, Tag } from "../ui/index.js";

function Chip({ userId, onRemove }) {
  const name = displayName(userId);
  return html`
    <li class="chip">
      <${Avatar} userId=${userId} size=${24} /><span class="truncate">${name}</span>
      <button type="button" class="chip-remove" aria-label=${t("members.unpick", { name })} onClick=${onRemove}>
        <${Icon} name="close" size=${14} />
      </button>
    </li>
  `;
}

function Option({ id, userId, isPicked, isActive, onPick }) {
  const name = displayName(userId);
  const { user_name: userName } = user(userId);
  return html`
    <li id=${id} role="option" aria-selected=${isPicked ? "true" : "false"} onClick=${onPick}
      class=${`row picker-option ${isActive ? "picker-option-active" : ""}`}>
      <${Avatar} userId=${userId} size=${36} showPresence />
      <span class="row-words">
        <span class="person-row-name">
          <span class="row-title">${name}</span>${isBot(userId) && html`<${Tag}>${t("common.bot")}<//>`}
        </span>
        ${name !== userName && html`<span class="row-text">${userName}</span>`}
      </span>
      <span class=${`picker-mark ${isPicked ? "picker-mark-on" : ""}`}>
        ${isPicked && html`<${Icon} name="check" size=${14} />`}
      </span>
    </li>
  `;
}

/**
 * Choose several friends: a field to search with, whose arrow keys walk the list below; Enter picks, and Backspace in
 * the empty field takes the last one back. The chosen ones are chips.
 *
 * @param {object} props
 * @param {number[]} props.picked ids of users, in the order in which they were picked
 * @param {(ids: number[]) => void} props.onChange
 */
export function MemberPicker({ picked, onChange }) {
  const id = useId();
  const [query, setQuery] = useState("");
  const [activeId, setActiveId] = useState(null);
  const field = useRef(null);
  const chips = useRef(null);
  const found = sortUsers([...friends.value.keys()].filter((userId) => matchesUser(userId, query)));
  const at = found.indexOf(activeId);
  const optionId = (userId) => `${id}-${userId}`;
  useEffect(() => {
    document.getElementById(optionId(activeId))?.scrollIntoView({ block: "nearest" });
  }, [activeId]);
  useEffect(() => {
    chips.current?.lastElementChild?.scrollIntoView({ block: "nearest" });
  }, [picked.length]);

  const toggle = (userId) => {
    onChange(picked.includes(userId) ? picked.filter((other) => other !== userId) : [...picked, userId]);
    setQuery("");
    if (query) {
      setActiveId(null); // the next Enter shall not take back what was picked
    }
    field.current.focus();
  };
  const onInput = (event) => {
    const text = event.currentTarget.value;
    setQuery(text);
    const first = sortUsers([...friends.value.keys()].filter((userId) => matchesUser(userId, text)))[0];
    setActiveId(text.trim() ? first ?? null : null);
  };
  const onKeyDown = (event) => {
    const targets = { ArrowDown: at + 1, ArrowUp: at < 0 ? found.length - 1 : at - 1 };
    const to = found[targets[event.key]];
    if (to !== undefined) {
      event.preventDefault();
      setActiveId(to);
    } else if (event.key === "Enter" && at >= 0 && !event.isComposing) {
      event.preventDefault(); // otherwise it would make the group
      toggle(activeId);
    } else if (event.key === "Backspace" && !query && picked.length) {
      onChange(picked.slice(0, -1));
    } else if (event.key === "Escape" && query) {
      event.preventDefault();
      event.stopPropagation();
      setQuery("");
      setActiveId(null);
    }
  };
  const activeOption = at >= 0 ? optionId(activeId) : undefined;
  return html`
    <div class="picker">
      <label class="field-label" for=${`${id}-field`}>${t("members.pick")}</label>
      <div class="field-box picker-box" onClick=${() => field.current.focus()}>
        ${picked.length > 0 && html`
          <ul class="chips" ref=${chips} aria-label=${t("members.picked")}>
            ${picked.map((userId) => html`
              <${Chip} key=${userId} userId=${userId} onRemove=${() => toggle(userId)} />
            `)}
          </ul>
        `}
        <input id=${`${id}-field`} ref=${field} class="field-input" type="text" role="combobox" autocomplete="off"
          spellcheck=${false} aria-expanded="true" aria-controls=${`${id}-list`} aria-autocomplete="list"
          aria-activedescendant=${activeOption} placeholder=${t("members.pick_hint")}
          value=${query} onInput=${onInput} onKeyDown=${onKeyDown} />
      </div>
      <p class="visually-hidden" role="status">${t("members.picked_count", { count: picked.length })}</p>
      <${LongList} id=${`${id}-list`} class="picker-list" data-scroller tabindex=${0} role="listbox"
        aria-multiselectable="true" aria-label=${t("friends.title")} aria-activedescendant=${activeOption}
        onKeyDown=${onKeyDown} items=${found} row=${(userId) => html`
          <${Option} key=${userId} id=${optionId(userId)} userId=${userId} isPicked=${picked.includes(userId)}
            isActive=${userId === activeId} onPick=${() => toggle(userId)} />
        `} />
      ${!found.length && html`<p class="picker-empty">${t("friends.nobody_found")}</p>`}
    </div>
  `;
}
