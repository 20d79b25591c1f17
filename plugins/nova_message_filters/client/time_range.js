/** The time that is searched: quick ranges, and days from a calendar. */

import { t } from "nova";

/** Times of the server have microseconds; the end of a day is the last one before midnight. */
export const TICK_S = 0.000_001;

/** What can be chosen: {value, days back from today (0: only today)}; "any" and "days" stand for themselves. */
const QUICK_RANGES = [
  { value: "today", daysBack: 0 }, { value: "week", daysBack: 6 }, { value: "month", daysBack: 29 },
  { value: "year", daysBack: 364 },
];

/** The options of a Select. */
export const rangeOptions = () => ["any", ...QUICK_RANGES.map(({ value }) => value), "days"]
  .map((value) => ({ value, label: t(`filters.range_${value}`) }));

/** Midnight where the user is, in seconds since 1970. */
function midnight_s(year, month, day) {
  const date = new Date(year, month, day);
  date.setFullYear(year, month, day); // years below 100 mean what they say
  return date.getTime() / 1000;
}

function dayOf(text, daysLater = 0) {
  const [year, month, day] = text.split("-").map(Number);
  return midnight_s(year, month - 1, day + daysLater);
}

/**
 * A day as date inputs have it: "2026-11-20".
 * @param {Date} date
 */
export const dateText = (date) => [date.getFullYear(), date.getMonth() + 1, date.getDate()]
  .map((part, index) => String(part).padStart(index ? 2 : 4, "0")).join("-");

/**
 * Begin and end of what is chosen.
 * @param {{range: string, from: string, to: string}} chosen `from` and `to` only count for the range "days"; "" is open
 * @returns {{begin_s: number|null, end_s: number|null, error: string|null}} inclusive; null: open; `error` is a text
 */
export function timesOf({ range, from, to }) {
  const none = { begin_s: null, end_s: null, error: null };
  if (range === "any") return none;
  if (range === "days") {
    const begin_s = from ? dayOf(from) : null;
    const end_s = to ? dayOf(to, 1) - TICK_S : null;
    const isBackwards = begin_s !== null && end_s !== null && begin_s > end_s;
    return isBackwards ? { ...none, error: t("filters.dates_backwards") } : { begin_s, end_s, error: null };
  }
  const { daysBack } = QUICK_RANGES.find(({ value }) => value === range);
  const today = new Date();
  return { ...none, begin_s: midnight_s(today.getFullYear(), today.getMonth(), today.getDate() - daysBack) };
}
