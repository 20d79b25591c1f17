import { html } from "../html.js";
import { formatNumber, t } from "../i18n.js";

/** From this share of the limit on the count is read out. */
const NEAR_SHARE = 0.9;

/**
 * The length of a text as the server counts it, in code points.
 *
 * @param {string} text
 * @returns {number}
 */
export const countCharacters = (text) => [...text].length;

/**
 * How many of the allowed characters a text has.
 *
 * @param {{text: string, max: number}} props
 */
export function CharacterCount({ text, max }) {
  const count = countCharacters(text);
  const isOver = count > max;
  return html`
    <p class=${`character-count ${isOver ? "character-count-over" : ""}`}>
      <span aria-hidden="true">${formatNumber(count)} / ${formatNumber(max)}</span>
      <span class="visually-hidden" role="status">
        ${isOver
          ? t("friends.characters_over", { count: count - max })
          : count > max * NEAR_SHARE && t("friends.characters_left", { count: max - count })}
      </span>
    </p>
  `;
}
