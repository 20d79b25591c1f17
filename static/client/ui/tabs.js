import { html, useId } from "../html.js";
import { Badge } from "./labels.js";
import { Icon } from "./icon.js";

/**
 * Tabs, and the panel of the selected one.
 *
 * @param {object} props
 * @param {string} props.label what they are about, read out
 * @param {{id: string, label: string, icon?: string, count?: number}[]} props.tabs
 * @param {string} props.selected
 * @param {(id: string) => void} props.onSelect
 * @param {any} props.children the content of the selected tab
 */
export function Tabs({ label, tabs, selected, onSelect, children, class: className = "" }) {
  const id = useId();
  const onKeyDown = (event) => {
    const at = tabs.findIndex((tab) => tab.id === selected);
    const targets = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 };
    const to = targets[event.key];
    if (to !== undefined) {
      event.preventDefault();
      const next = tabs.at(to % tabs.length);
      onSelect(next.id);
      document.getElementById(`${id}-${next.id}`)?.focus();
    }
  };
  return html`
    <div class=${`tabs ${className}`} role="tablist" aria-label=${label} onKeyDown=${onKeyDown}>
      ${tabs.map(
        (tab) => html`
          <button key=${tab.id} type="button" class="tab" role="tab" id=${`${id}-${tab.id}`}
            aria-selected=${tab.id === selected ? "true" : "false"} tabindex=${tab.id === selected ? 0 : -1}
            aria-controls=${children ? `${id}-panel` : undefined} onClick=${() => onSelect(tab.id)}>
            ${tab.icon && html`<${Icon} name=${tab.icon} size=${18} />`}<span>${tab.label}</span>
            <${Badge} count=${tab.count ?? 0} tone="muted" />
          </button>
        `,
      )}
    </div>
    ${children &&
    html`<div role="tabpanel" id=${`${id}-panel`} aria-labelledby=${`${id}-${selected}`}>${children}</div>`}
  `;
}
