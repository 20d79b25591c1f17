/** A rule while it is written: texts of fields on the one side, what the server takes on the other. */

import { formatNumber, t } from "nova";

export const KINDS = ["words", "pattern", "links", "rate", "repeat"];
export const ACTIONS = ["mask", "hold", "refuse", "mute"];
/** These count messages, so there is nothing in a text that could be masked. */
const COUNTING_KINDS = ["rate", "repeat"];

// The bounds of the server (docs/protocols/actions.md, Rules). Lengths are in code points.
export const NAME_MAX_CHARACTERS = 60;
export const REASON_MAX_CHARACTERS = 200;
export const WORDS_MAX_COUNT = 10_000;
const WORD_MAX_CHARACTERS = 100;
const PATTERN_MAX_CHARACTERS = 500;
const DOMAINS_MAX_COUNT = 1_000;
const DOMAIN_MAX_CHARACTERS = 200;
const RATE_MAX_MESSAGES = 100;
const REPEAT_MAX_TIMES = 10;
const WINDOW_MAX_S = 86_400;
const MUTE_MAX_S = 30 * 86_400;

const NEW_RULE = {
  name: "", kind: "words", words: "", pattern: "", allowed_domains: "", messages: "5", times: "1", window_s: 60,
  action: "refuse", mute_s: 600, reason: "", exempt_managers: false, enabled: true,
};

const linesOf = (text) => [...new Set(text.split("\n").map((line) => line.trim()).filter(Boolean))];

/** How many words or domains a text of lines has. */
export const lineCount = (text) => linesOf(text).length;

/**
 * What the fields of the form show.
 * @param {object|null} rule of the server, or null: a new one
 */
export function draftOf(rule) {
  const texts = {};
  for (const key of ["words", "allowed_domains"]) if (rule?.[key]) texts[key] = rule[key].join("\n");
  for (const key of ["messages", "times"]) if (rule?.[key]) texts[key] = String(rule[key]);
  return { ...NEW_RULE, ...rule, ...texts };
}

/** The actions that a kind can have. */
export const actionsOf = (kind) => ACTIONS.filter((action) => action !== "mask" || !COUNTING_KINDS.includes(kind));

const length = (text) => [...text].length;

function checkedNumber(text, most) {
  const number = /^\d{1,9}$/.test(text.trim()) ? Number(text) : 0;
  return number >= 1 && number <= most ? [number, null]
    : [null, t("filters.error_number", { most: formatNumber(most) })];
}

function checkedDuration(value_s, most_s, mostText) {
  return value_s !== null && value_s >= 1 && value_s <= most_s ? [value_s, null]
    : [null, t("filters.error_duration", { most: mostText })];
}

function checkedLines(text, { least, mostCount, mostCharacters }) {
  const lines = linesOf(text);
  const long = lines.find((line) => length(line) > mostCharacters);
  if (lines.length < least) return [lines, t("filters.error_no_words")];
  if (lines.length > mostCount) return [lines, t("filters.error_too_many_lines", { most: formatNumber(mostCount) })];
  if (long) return [lines, t("filters.error_long_line", { line: `${long.slice(0, 30)}…`, most: mostCharacters })];
  return [lines, null];
}

function checkedDomains(text) {
  const [lines, error] =
    checkedLines(text, { least: 0, mostCount: DOMAINS_MAX_COUNT, mostCharacters: DOMAIN_MAX_CHARACTERS });
  const wrong = lines.find((line) => !line.includes(".") || /[\s/:@]/.test(line));
  return [lines, error ?? (wrong ? t("filters.error_domain", { domain: wrong.slice(0, 40) }) : null)];
}

function checkedText(text, mostCharacters, missing) {
  if (missing && !text.trim()) return [text, missing];
  return [text, length(text) > mostCharacters ? t("filters.error_long", { most: mostCharacters }) : null];
}

/** The checks of the fields that a kind has. */
const FIELDS_OF_KIND = {
  words: ["words"], pattern: ["pattern"], links: ["allowed_domains"], rate: ["messages", "window_s"],
  repeat: ["times", "window_s"],
};

const CHECKS = {
  name: ({ name }) => checkedText(name.trim(), NAME_MAX_CHARACTERS, t("filters.error_no_name")),
  words: ({ words }) =>
    checkedLines(words, { least: 1, mostCount: WORDS_MAX_COUNT, mostCharacters: WORD_MAX_CHARACTERS }),
  pattern: ({ pattern }) => checkedText(pattern, PATTERN_MAX_CHARACTERS, t("filters.error_no_pattern")),
  allowed_domains: ({ allowed_domains: domains }) => checkedDomains(domains),
  messages: ({ messages }) => checkedNumber(messages, RATE_MAX_MESSAGES),
  times: ({ times }) => checkedNumber(times, REPEAT_MAX_TIMES),
  window_s: ({ window_s: window }) => checkedDuration(window, WINDOW_MAX_S, t("filters.most_window")),
  mute_s: ({ mute_s: mute }) => checkedDuration(mute, MUTE_MAX_S, t("filters.most_mute")),
  reason: ({ reason }) => checkedText(reason.trim(), REASON_MAX_CHARACTERS),
};

/**
 * A rule as the server takes it, and what is wrong in it.
 * @param {object} draft
 * @returns {{rule: object, errors: Object<string, string>}} texts by field
 */
export function readDraft(draft) {
  const { kind, action, exempt_managers, enabled } = draft;
  const rule = { kind, action, exempt_managers, enabled };
  const errors = {};
  for (const key of ["name", ...FIELDS_OF_KIND[kind], ...(action === "mute" ? ["mute_s"] : []), "reason"]) {
    const [value, error] = CHECKS[key](draft);
    rule[key] = value;
    if (error) errors[key] = error;
  }
  return { rule, errors };
}
