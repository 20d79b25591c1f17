/** Durations as people read and write them. */

import { Field, html, language, Select, t, useState } from "nova";

/** Seconds in each unit, the largest first; the names are those of Intl. */
const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];

const secondsIn = (unit) => UNITS.find(([name]) => name === unit)[1];

const unitText = (count, unit) =>
  new Intl.NumberFormat(language.value, { style: "unit", unit, unitDisplay: "short" }).format(count);

/**
 * A duration in the two largest units that it has: "1 hr 20 min". Short, because long units have cases in
 * Russian.
 * @param {number} duration_s in seconds; parts of a second count as one
 */
export function formatDuration(duration_s) {
  let left_s = Math.ceil(duration_s);
  const words = [];
  for (const [unit, unit_s] of UNITS) {
    const count = Math.floor(left_s / unit_s);
    left_s -= count * unit_s;
    if (count) words.push(unitText(count, unit));
  }
  return words.length ? words.slice(0, 2).join(" ") : unitText(0, "second");
}

/** A duration in the largest unit that gives a whole number: 600 s are 10 minutes, 90 s are 90 seconds. */
function split(duration_s) {
  const [unit, unit_s] = UNITS.find(([, seconds]) => duration_s % seconds === 0);
  return { count: String(duration_s / unit_s), unit };
}

const joined = ({ count, unit }) =>
  (/^\d{1,9}$/.test(count.trim()) ? Number(count) * secondsIn(unit) : null);

/**
 * A number and its unit.
 * @param {object} props
 * @param {string} props.label
 * @param {number|null} props.value_s in seconds; null: no number was typed
 * @param {(value_s: number|null) => void} props.onChange
 * @param {string} props.longestUnit "day", "hour" …
 * @param {string} [props.error]
 * @param {string} [props.hint]
 */
export function DurationField({ label, value_s, onChange, longestUnit, error, hint }) {
  const [typed, setTyped] = useState(() => split(value_s ?? 0));
  const shown = joined(typed) === value_s || value_s === null ? typed : split(value_s);
  const change = (part) => {
    const next = { ...shown, ...part };
    setTyped(next);
    onChange(joined(next));
  };
  const units = UNITS.slice(UNITS.findIndex(([unit]) => unit === longestUnit)).reverse();
  return html`
    <div class="filters-duration">
      <${Field} label=${label} value=${shown.count} inputMode="numeric" autocomplete="off" error=${error} hint=${hint}
        onInput=${(count) => change({ count })} />
      <${Select} label=${t("filters.unit_of", { field: label })} hideLabel=${true} value=${shown.unit}
        options=${units.map(([unit]) => ({ value: unit, label: t(`filters.unit_${unit}`) }))}
        onChange=${(unit) => change({ unit })} />
    </div>
  `;
}
