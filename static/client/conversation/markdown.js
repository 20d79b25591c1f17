/** From the text of a message to what is shown: Markdown, made safe, each text once. */

import DOMPurify from "dompurify";
import { Marked, Tokenizer } from "marked";
import { localUrl } from "../config.js";

/** So many characters of texts are kept with what was made of them. */
const CACHE_MAX_CHARACTERS = 1_000_000;
/**
 * So long a text may make us look for the ends of its emphasis, links and addresses. Ordinary texts of 20,000
 * characters need a tenth of it; texts that were made to be slow would take seconds, and the rest of them is shown as
 * it was typed.
 */
const SEARCH_MAX_MS = 60;
/** Quotes and lists in one another, so many deep; what is deeper is text. */
const NESTING_MAX_LEVELS = 12;

const TAGS = [
  "a", "blockquote", "br", "code", "del", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "strong", "table",
  "tbody", "td", "th", "thead", "tr", "ul",
];
const SAFE_URL = /^(?:https?|mailto|tel):/i;
/** Where an address ends that was typed in the middle of Chinese or Japanese words. */
const ADDRESS_END = /[\s，。！？；：、（）《》「」『』【】“”‘’…\u3000]/u;

const escape = (text) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

const inherited = Tokenizer.prototype;
let searchedMs = 0;
let nestingLevels = 0;

/** A tokenizer of marked that is not asked any more when the text has taken too long: its signs stay what they are. */
function timed(run) {
  return function tokenize(...values) {
    if (searchedMs > SEARCH_MAX_MS) return undefined;
    const startMs = performance.now();
    const token = run.apply(this, values);
    searchedMs += performance.now() - startMs;
    return token;
  };
}

/** A tokenizer of blocks in blocks that is not asked any more when they are too deep. */
function nested(run) {
  return function tokenize(...values) {
    if (nestingLevels >= NESTING_MAX_LEVELS) return undefined;
    nestingLevels += 1;
    try {
      return run.apply(this, values);
    } finally {
      nestingLevels -= 1;
    }
  };
}

function addressOf(source) {
  const end = source.search(ADDRESS_END);
  return inherited.url.call(this, end > 0 ? source.slice(0, end) : source);
}

const marked = new Marked({
  gfm: true,
  breaks: true,
  tokenizer: {
    emStrong: timed(inherited.emStrong),
    del: timed(inherited.del),
    link: timed(inherited.link),
    url: timed(addressOf),
    blockquote: nested(inherited.blockquote),
    list: nested(inherited.list),
    reflink: () => undefined, // messages have no notes at their end
    def: () => undefined,
    html: () => undefined, // HTML is a text like any other
    tag: () => undefined,
  },
  renderer: {
    heading({ tokens, depth }) {
      const level = Math.min(depth + 2, 6); // below the headings of the page
      return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>\n`;
    },
    image({ href, text }) {
      return `<a href="${escape(href)}">${escape(text || href)}</a>`;
    },
    html: ({ text }) => escape(text),
    checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
    code({ text, lang }) {
      const language = /^[\w+#.-]{1,20}/.exec(lang ?? "")?.[0] ?? "";
      return `<pre><code class="${language}">${escape(text)}\n</code></pre>\n`;
    },
  },
});

const cache = new Map(); // text → DocumentFragment; those used last at the end
let cachedCharacters = 0;

/**
 * What a text looks like.
 * @param {string} text Markdown
 * @returns {DocumentFragment} shared: to be cloned, not changed
 */
export function rendered(text) {
  let fragment = cache.get(text);
  if (fragment) {
    cache.delete(text);
  } else {
    fragment = render(text);
    cachedCharacters += text.length;
  }
  cache.set(text, fragment);
  for (const [oldest] of cache) {
    if (cachedCharacters <= CACHE_MAX_CHARACTERS) break;
    cache.delete(oldest);
    cachedCharacters -= oldest.length;
  }
  return fragment;
}

function render(text) {
  searchedMs = 0;
  let markup;
  try {
    markup = marked.parse(text);
  } catch (error) {
    console.warn("A message is shown without Markdown:", error); // better than not at all
    markup = `<p>${escape(text).replaceAll("\n", "<br>")}</p>`;
  }
  const fragment = DOMPurify.sanitize(markup, {
    ALLOWED_TAGS: TAGS,
    ALLOWED_ATTR: ["href", "start", "align", "class"],
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    ALLOWED_URI_REGEXP: SAFE_URL,
    RETURN_DOM_FRAGMENT: true,
  });
  fragment.querySelectorAll("a").forEach(finishLink);
  fragment.querySelectorAll("pre").forEach(finishCode);
  fragment.querySelectorAll("table").forEach((table) => wrap(table, "table-scroll"));
  return fragment;
}

function wrap(element, className) {
  const around = document.createElement("div");
  around.className = className;
  element.replaceWith(around);
  around.append(element);
  return around;
}

/** Links lead out of the page, but those to this client stay in it. The Tab key stops at none before its message. */
function finishLink(link) {
  link.removeAttribute("class");
  if (!link.hasAttribute("href")) {
    link.replaceWith(...link.childNodes);
    return;
  }
  link.tabIndex = -1;
  if (isInApp(link.href)) return;
  link.target = "_blank";
  link.rel = "noopener noreferrer";
}

/** Whether an address is a place of this client, such as a link to a message. */
function isInApp(address) {
  const url = new URL(localUrl(address), location.href);
  return url.origin === location.origin && url.pathname === location.pathname && url.hash.startsWith("#/");
}

function finishCode(pre) {
  const code = pre.querySelector("code");
  const block = wrap(pre, "code-block");
  const bar = document.createElement("div");
  bar.className = "code-bar";
  const language = document.createElement("span");
  language.textContent = code?.className ?? "";
  const copy = document.createElement("button");
  copy.type = "button";
  copy.className = "code-copy";
  copy.tabIndex = -1;
  bar.append(language, copy); // message_text.js says in the present language what the button does
  block.prepend(bar);
  code?.removeAttribute("class");
}
