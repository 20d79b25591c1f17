/** Languages: all texts that are shown, and how times, sizes and lists read. */

import { computed, effect, signal } from "@preact/signals";
import { config } from "./config.js";
import { readStored, writeStored } from "./preferences.js";
import { KNOWN_ERRORS, KNOWN_SYSTEM_TEXTS } from "./server_texts.js";

/** The languages of the client: {code, name in itself}. */
export const languages = [
  { code: "en", name: "English" },
  { code: "ru", name: "Русский" },
  { code: "zh", name: "中文" },
];

/** Shown where nothing better is there. */
const DEFAULT_LANGUAGE = "en";
/** What times read like where the language alone does not say it. */
const LOCALES = { en: navigator.languages.find((tag) => /^en\b/.test(tag)) ?? "en", ru: "ru", zh: "zh-CN" };
/** While an unfinished minute counts as now, in seconds. */
const JUST_NOW_S = 45;
const MINUTE_S = 60;
const HOUR_S = 3600;
const DAY_S = 86400;

function firstLanguage() {
  const wanted = [readStored("language"), ...navigator.languages].map((tag) => tag?.slice(0, 2).toLowerCase());
  return wanted.find((code) => languages.some((known) => known.code === code)) ?? DEFAULT_LANGUAGE;
}

const shown = signal({ code: firstLanguage(), messages: {} });

/**
 * The language that is shown: "en", "ru" or "zh".
 * @type {import("@preact/signals").ReadonlySignal<string>}
 */
export const language = computed(() => shown.value.code);

const locale = computed(() => LOCALES[language.value]);

effect(() => { document.documentElement.lang = language.value; });

let wanted = shown.peek().code;

/**
 * Show another language, and remember it.
 * @param {string} code "en", "ru" or "zh"
 */
export async function setLanguage(code) {
  writeStored("language", code);
  await loadLanguage(code);
}

/**
 * Load the messages of the client and of the plugins' parts.
 * @param {string} code the remembered language, or that of the browser, if left out
 * @throws {Error} the client's own messages cannot be had
 */
export async function loadLanguage(code = wanted) {
  wanted = code;
  const load = async (prefix, language) => {
    const answer = await fetch(new URL(`${language}.json`, prefix));
    if (!answer.ok) throw new Error(`${answer.url}: ${answer.status}`);
    return answer.json();
  };
  const loadPart = async ({ messages }) => {
    const prefix = new URL(messages.replace(/\/?$/, "/"), location.href);
    try {
      return await load(prefix, code).catch(() => load(prefix, DEFAULT_LANGUAGE)); // a plugin may not speak all
    } catch (error) {
      console.warn("The messages of a plugin's part cannot be had:", error);
      return {};
    }
  };
  const ofParts = config.modules.filter((module) => module.messages).map(loadPart);
  const all = await Promise.all([...ofParts, load(new URL("../messages/", import.meta.url), code)]);
  if (wanted === code) shown.value = { code, messages: Object.assign({}, ...all) }; // else another was chosen meanwhile
}

/**
 * A text in the language that is shown. Components that call it follow a change of the language.
 * @param {string} key such as "chat.members"
 * @param {Object<string, string|number>} values for the placeholders; `count` chooses the plural form
 * @returns {string} the key itself if there is no such text
 */
export function t(key, values = {}) {
  const { messages } = shown.value;
  let text = messages[key] ?? key;
  if (typeof text === "object") {
    text = text[format(Intl.PluralRules, {}).select(values.count)] ?? text.other ?? key;
  }
  return text.replace(/\{(\w+)\}/g, (placeholder, name) => {
    const value = values[name] ?? placeholder;
    return typeof value === "number" && name === "count" ? formatNumber(value) : value;
  });
}

const formats = new Map();

function format(Kind, options) {
  const key = `${Kind.name} ${locale.value} ${JSON.stringify(options)}`;
  let known = formats.get(key);
  if (!known) formats.set(key, known = new Kind(locale.value, options)); // making one is slow, using it is not
  return known;
}

const date = (time_s, options) => format(Intl.DateTimeFormat, options).format(time_s * 1000);

/** The clock time of a time in seconds: "14:05". */
export const formatTime = (time_s) => date(time_s, { timeStyle: "short" });

/** Date and clock time in full, for tooltips. */
export const formatDate = (time_s) => date(time_s, { dateStyle: "long", timeStyle: "short" });

function daysAgo(time_s, now) {
  const midnight = (moment) => new Date(moment.getFullYear(), moment.getMonth(), moment.getDate());
  return Math.round((midnight(now) - midnight(new Date(time_s * 1000))) / (DAY_S * 1000));
}

/**
 * A day as a heading: "Today", "Yesterday", the weekday of the last week, else the date.
 * @param {number} time_s seconds since 1970
 */
export function formatDay(time_s) {
  const now = new Date();
  const days = daysAgo(time_s, now);
  if (days === 0 || days === 1) return t(days ? "time.yesterday" : "time.today");
  if (days > 1 && days < 7) return capital(date(time_s, { weekday: "long" }));
  const isThisYear = new Date(time_s * 1000).getFullYear() === now.getFullYear();
  return date(time_s, { day: "numeric", month: "long", ...(isThisYear ? {} : { year: "numeric" }) });
}

const capital = (text) => text.charAt(0).toLocaleUpperCase(locale.value) + text.slice(1);

/**
 * How long ago, in few signs: "now", "5 min. ago", the clock time of today, "Yesterday", a weekday, a date.
 * @param {number} time_s seconds since 1970
 */
export function formatRelative(time_s) {
  const now = new Date();
  const ago_s = now / 1000 - time_s;
  if (ago_s < JUST_NOW_S) return t("time.now");
  if (ago_s < HOUR_S) {
    const minutes = Math.max(1, Math.round(ago_s / MINUTE_S));
    return format(Intl.RelativeTimeFormat, { style: "short", numeric: "always" }).format(-minutes, "minute");
  }
  const days = daysAgo(time_s, now);
  if (days <= 0) return formatTime(time_s);
  if (days === 1) return t("time.yesterday");
  if (days < 7) return date(time_s, { weekday: "short" });
  const isThisYear = new Date(time_s * 1000).getFullYear() === now.getFullYear();
  return isThisYear ? date(time_s, { day: "numeric", month: "short" }) : date(time_s, { dateStyle: "short" });
}

/** A size in bytes as people read it: "1.4 MB". Units of 1024. */
export function formatSize(bytes) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
  let power = 0;
  while (bytes >= 1000 && power < units.length - 1) {
    bytes /= 1024;
    power += 1;
  }
  const digits = power === 0 || bytes >= 100 ? 0 : 1;
  const options = { style: "unit", unit: units[power], unitDisplay: power ? "short" : "narrow" };
  return format(Intl.NumberFormat, { ...options, maximumFractionDigits: digits }).format(bytes);
}

/** Names with commas and an "and". */
export const formatList = (names) => format(Intl.ListFormat, { type: "conjunction" }).format(names);

/** A number with the separators of the language. */
export const formatNumber = (number) => format(Intl.NumberFormat, {}).format(number);

const UNITS = { d: "day", h: "hour", min: "minute", s: "second" };

const translateDuration = (text) => text.replace(/(\d+) (d|h|min|s)\b/g, (_, count, unit) =>
  format(Intl.NumberFormat, { style: "unit", unit: UNITS[unit], unitDisplay: "short" }).format(count));

function translate(sentence, known) {
  for (const [pattern, key, names = []] of known) {
    if (typeof pattern === "string") {
      if (pattern === sentence) return t(key);
      continue;
    }
    const found = pattern.exec(sentence);
    if (found) {
      const values = Object.fromEntries(names.map((name, index) => [name, found[index + 1]]));
      if (values.count !== undefined) values.count = Number(values.count);
      if (values.reason !== undefined) values.reason = translate(values.reason, known);
      if (values.duration !== undefined) values.duration = translateDuration(values.duration);
      return t(key, values);
    }
  }
  return sentence;
}

/**
 * What a message of #SYSTEM says, in the language that is shown.
 * @param {{message: string, sender: {user_name: string}}} message
 * @returns {string} the text as it is if it is none of the sentences that the protocol's page lists
 */
export function systemText(message) {
  return message.sender.user_name === "#SYSTEM" ? translate(message.message, KNOWN_SYSTEM_TEXTS) : message.message;
}

/**
 * A refusal of the server in the language that is shown.
 * @param {string} sentence as the server said it
 * @returns {string} the sentence as it is if it is none of the known ones
 */
export const errorText = (sentence) => translate(sentence, KNOWN_ERRORS);
