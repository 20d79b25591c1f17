import { html } from "../html.js";
import { t } from "../i18n.js";
import { IconButton } from "./button.js";
import { isPhone } from "./viewport.js";

/**
 * A header and what scrolls below it: a column of the window.
 *
 * @param {object} props
 * @param {any} props.title
 * @param {any} [props.subtitle] below the title, small
 * @param {any} [props.leading] before the title, such as an avatar
 * @param {any} [props.actions] icon buttons at the end
 * @param {() => void} [props.onBack] shows an arrow back
 * @param {boolean} [props.backOnPhonesOnly] the arrow is there only where one pane is shown at a time
 * @param {any} [props.below] between header and content, does not scroll (a search field, tabs)
 * @param {any} [props.footer] below the content, does not scroll
 * @param {{current: HTMLElement}} [props.scrollRef] the element that scrolls
 * @param {boolean} [props.isNarrow] keeps the content at a readable width in the middle
 */
export function Pane({ title, subtitle, leading, actions, onBack, backOnPhonesOnly, below, footer, ...props }) {
  const { scrollRef, isNarrow, children, class: className = "", headingLevel: Heading = "h2" } = props;
  return html`
    <div class=${`pane ${className}`}>
      <header class="pane-header">
        ${onBack &&
        html`<${IconButton} icon="back" label=${t("common.back")} onClick=${onBack}
          class=${backOnPhonesOnly ? "phones-only pane-back" : "pane-back"} />`}
        ${leading}
        <div class="pane-titles">
          <${Heading} class="pane-title truncate" tabindex="-1">${title}<//>
          ${subtitle && html`<div class="pane-subtitle truncate">${subtitle}</div>`}
        </div>
        ${actions && html`<div class="pane-actions">${actions}</div>`}
      </header>
      ${below && html`<div class="pane-below">${below}</div>`}
      <div class="pane-content" ref=${scrollRef}>
        ${isNarrow ? html`<div class="pane-narrow">${children}</div>` : children}
      </div>
      ${footer && html`<footer class="pane-footer">${footer}</footer>`}
    </div>
  `;
}

/**
 * A view as list and main part: side by side, and on phones one at a time. Each view of the app is one of these.
 *
 * @param {object} props
 * @param {any} [props.list] a Pane; without it the main part takes all the room
 * @param {string} [props.listLabel] what the list is called, read out
 * @param {any} props.main
 * @param {boolean} props.isMainOpen which of the two a phone shows
 */
export function Panes({ list, listLabel, main, isMainOpen }) {
  // A phone that shows the list has no other main part.
  const listRole = isPhone.value && !isMainOpen ? "main" : undefined;
  return html`
    <div class=${`panes ${list ? "" : "panes-single"} ${isMainOpen || !list ? "panes-main-open" : ""}`}>
      ${list &&
      html`<section class="panes-list" role=${listRole} aria-label=${listLabel} tabindex="-1">${list}</section>`}
      <main class="panes-main" id="main" tabindex="-1">${main}</main>
    </div>
  `;
}
