/** Whose messages are searched. */

import {
  Avatar, Button, Checkbox, formatList, html, Icon, Popover, SearchField, state, t, useRef, useState,
} from "nova";

/** From so many members on they can be searched. */
const MANY_MEMBERS = 9;

function SenderList({ chat, chosen, onChange }) {
  const [text, setText] = useState("");
  const nameOf = (id) => id === state.me.value?.id ? t("filters.me") : state.displayName(id);
  const ids = chat.member_ids.filter((id) => nameOf(id).toLowerCase().includes(text.trim().toLowerCase()));
  return html`
    ${chat.member_ids.length >= MANY_MEMBERS && html`
      <div class="filters-senders-search">
        <${SearchField} label=${t("filters.search_members")} value=${text} onInput=${setText} />
      </div>`}
    <div class="filters-senders" role="group" aria-label=${t("filters.senders")}>
      ${ids.map((id) => html`
        <label class="row" key=${id}>
          <${Avatar} userId=${id} size=${28} />
          <span class="row-words row-title">${nameOf(id)}</span>
          <${Checkbox} label=${nameOf(id)} hideLabel=${true} checked=${chosen.includes(id)}
            onChange=${(isChosen) => onChange(isChosen ? [...chosen, id] : chosen.filter((other) => other !== id))} />
        </label>
      `)}
    </div>
    ${chosen.length > 0 && html`
      <div class="filters-senders-reset">
        <${Button} size="s" variant="ghost" onClick=${() => onChange([])}>${t("filters.anybody")}<//>
      </div>`}
  `;
}

/**
 * A button that opens the list of the members, of whom any number can be chosen.
 * @param {{chat: object, chosen: number[], onChange: (ids: number[]) => void}} props nobody chosen: anybody
 */
export function SenderChoice({ chat, chosen, onChange }) {
  const [isOpen, setOpen] = useState(false);
  const button = useRef(null);
  // A press on the button closes the open list before its click comes, which must not open it again.
  const wasOpen = useRef(false);
  const names = chosen.map((id) => id === state.me.value?.id ? t("filters.me") : state.displayName(id));
  const words = names.length ? formatList(names) : t("filters.anybody");
  return html`
    <button type="button" ref=${button} class="field-box filters-senders-button" aria-haspopup="dialog"
      aria-expanded=${isOpen ? "true" : "false"} aria-label=${`${t("filters.senders")}: ${words}`}
      onPointerDown=${() => { wasOpen.current = isOpen; }}
      onClick=${() => { setOpen(!wasOpen.current); wasOpen.current = false; }}>
      <${Icon} name="user" size=${18} /><span class="truncate">${words}</span><${Icon} name="chevron-down" size=${16} />
    </button>
    ${isOpen && html`
      <${Popover} anchor=${button.current} placement="bottom-end" onClose=${() => setOpen(false)}
        class="filters-senders-popover" role="dialog" aria-label=${t("filters.senders")}>
        <${SenderList} chat=${chat} chosen=${chosen} onChange=${onChange} />
      <//>`}
  `;
}
