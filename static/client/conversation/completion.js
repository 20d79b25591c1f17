/** What can be chosen while one types: commands after a slash, members after an @. */

import { html, useEffect, useMemo, useRef, useState } from "../html.js";
import { t } from "../i18n.js";
import { commandSources } from "../registry.js";
import { displayName, isBot, me, user } from "../store/state.js";
import { Avatar, Icon, Tag } from "../ui/index.js";

/** So many are offered at once. */
const CHOICES_MAX = 8;
/** A slash at the beginning, perhaps behind the name of the bot that is meant. */
const COMMAND_PLACE = /^(\s*(?:@[\w()@.-]+[\s,:]+)?)\/([\w-]*)$/;
const MENTION_PLACE = /(?:^|[^\w@-])@([\w()@.-]*)$/;

/**
 * What is being typed before the caret.
 * @param {string} text @param {number} caret -1: something is selected
 * @returns {{kind: "command"|"mention", from: number, word: string}|null} `from`: where the sign before the word stands
 */
function wordAt(text, caret) {
  if (caret < 0) return null;
  const before = text.slice(0, caret);
  const command = COMMAND_PLACE.exec(before);
  if (command) return { kind: "command", from: command[1].length, word: command[2] };
  const mention = MENTION_PLACE.exec(before);
  if (mention) return { kind: "mention", from: caret - mention[1].length - 1, word: mention[1] };
  return null;
}

async function loadCommands(chat) {
  const answers = await Promise.allSettled(commandSources.peek().map((source) => source(chat)));
  return answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
}

/** The commands of a chat, asked for when a slash is typed. */
function useCommands(chat, isWanted) {
  const [commands, setCommands] = useState([]);
  useEffect(() => {
    if (!isWanted) return undefined;
    let isWaited = true;
    loadCommands(chat).then((loaded) => isWaited && setCommands(loaded));
    return () => (isWaited = false);
  }, [chat.chat_id, isWanted]);
  return commands;
}

function membersLike(chat, word) {
  const wanted = word.toLowerCase();
  const rank = (id) => {
    const names = [user(id).user_name.toLowerCase(), displayName(id).toLowerCase()];
    return names.some((name) => name.startsWith(wanted)) ? 0 : names.some((name) => name.includes(wanted)) ? 1 : 2;
  };
  return chat.member_ids.filter((id) => id !== me.value?.id && rank(id) < 2)
    .sort((one, other) => rank(one) - rank(other) || displayName(one).localeCompare(displayName(other)))
    .map((id) => ({ id: `user-${id}`, userId: id, insert: `@${user(id).user_name} ` }));
}

/**
 * The choices at the caret, and the keys that choose.
 * @param {object} props
 * @param {object} props.chat
 * @param {string} props.text
 * @param {number} props.caret
 * @param {(text: string, caret: number) => void} props.onChange the text with what was chosen
 * @returns {{list: object|null, onKeyDown: (event: KeyboardEvent) => boolean}} `list`: props for CompletionList;
 *   onKeyDown says whether a key was for it
 */
export function useCompletion({ chat, text, caret, onChange }) {
  const place = wordAt(text, caret);
  const key = place && `${place.kind} ${place.from} ${place.word}`;
  const [active, setActive] = useState({ key: null, index: 0 });
  const [closedKey, setClosedKey] = useState(null);
  const commands = useCommands(chat, place?.kind === "command");
  const choices = useMemo(() => {
    if (!place) return [];
    if (place.kind === "mention") return membersLike(chat, place.word).slice(0, CHOICES_MAX);
    return commands.filter((command) => command.name.startsWith(place.word.toLowerCase())).slice(0, CHOICES_MAX)
      .map((command) => ({ id: `command-${command.name}`, command, insert: `/${command.name} ` }));
  }, [key, commands, chat]);
  if (!choices.length || closedKey === `${place.kind} ${place.from}`) return { list: null, onKeyDown: () => false };

  const index = active.key === key ? Math.min(active.index, choices.length - 1) : 0;
  const choose = ({ insert }) => {
    const rest = text.slice(caret).replace(/^ /, "");
    onChange(text.slice(0, place.from) + insert + rest, place.from + insert.length);
  };
  // A command that is written out already is not completed by Enter, but sent.
  const isComplete = choices[index].command?.name === place.word && !text.slice(caret).trim();
  const onKeyDown = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const isPlain = !event.shiftKey && !event.ctrlKey && !event.altKey && !event.metaKey;
    if (!isPlain) return false;
    if (step) setActive({ key, index: (index + step + choices.length) % choices.length });
    else if (event.key === "Tab" || (event.key === "Enter" && !isComplete)) choose(choices[index]);
    else if (event.key === "Escape") setClosedKey(`${place.kind} ${place.from}`);
    else return false;
    event.preventDefault();
    return true;
  };
  return { list: { kind: place.kind, choices, index, onChoose: choose }, onKeyDown };
}

function Choice({ choice: { userId, command } }) {
  if (command) {
    return html`
      <span class="completion-icon"><${Icon} name="slash" size=${18} /></span>
      <span class="row-words">
        <span class="row-title">${command.usage || `/${command.name}`}</span>
        <span class="row-text">${command.help}</span>
      </span>
    `;
  }
  const name = displayName(userId);
  const { user_name: userName } = user(userId);
  return html`
    <${Avatar} userId=${userId} size=${28} />
    <span class="row-words truncate">
      <span class="completion-name">${name}</span>
      ${name !== userName && html` <span class="muted">@${userName}</span>`}
    </span>
    ${isBot(userId) && html`<${Tag}>${t("common.bot")}<//>`}
  `;
}

/**
 * The list of choices above the composer; the focus stays in the text.
 * @param {{id: string, kind: string, choices: object[], index: number, onChoose: (choice: object) => void}} props
 */
export function CompletionList({ id, kind, choices, index, onChoose }) {
  const ref = useRef(null);
  useEffect(() => ref.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" }), [index]);
  return html`
    <div ref=${ref} class="completion" role="listbox" id=${id} aria-label=${t(`composer.choose_${kind}`)}>
      ${choices.map((choice, at) => html`
        <div key=${choice.id} id=${`${id}-${at}`} class="row completion-choice" role="option"
          aria-selected=${at === index ? "true" : "false"} onPointerDown=${(event) => event.preventDefault()}
          onClick=${() => onChoose(choice)}>
          <${Choice} choice=${choice} />
        </div>
      `)}
    </div>
  `;
}
