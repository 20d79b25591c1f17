/** Answers of bots that grow while one reads, or that have broken off. */

import { html, Icon, MessageText, state, t, useEffect, useState, writtenText } from "nova";

/** How an answer ends as long as more may come, and when no more will: plugins/nova_bot_chat/answers.py. */
const GROWING = " …";
const ENDINGS = { " … (interrupted)": "bots.interrupted", " … (cut)": "bots.cut" };
/** A bot has 30 s for its answer. What stands still for longer is not growing: it only ends with these signs. */
const STILL_GROWING_MS = 35_000;

const ageMs = ({ send_time, edited_at }) => Date.now() - (edited_at ?? send_time) * 1000;

function Growing({ message, text }) {
  const [isGrowing, setGrowing] = useState(true);
  useEffect(() => {
    setGrowing(true);
    const timer = setTimeout(() => setGrowing(false), STILL_GROWING_MS);
    return () => clearTimeout(timer);
  }, [text]);
  const shown = isGrowing ? text.slice(0, -GROWING.length) : text;
  return html`
    <div class=${isGrowing ? "bots-growing" : ""} aria-busy=${isGrowing ? "true" : undefined}>
      <${MessageText} text=${shown} chatId=${message.chat_id} />
    </div>
  `;
}

function Ended({ message, text, ending }) {
  return html`
    <${MessageText} text=${text.slice(0, -ending.length)} chatId=${message.chat_id} />
    <p class="bots-ending"><${Icon} name="alert" size=${14} />${t(ENDINGS[ending])}</p>
  `;
}

/**
 * Draws the text of a bot's message that is not a whole answer.
 * @param {object} message
 * @returns {object|null} null: it is like any other
 */
export function answer(message) {
  if (!state.isBot(message.sender.id)) return null;
  const text = writtenText(message);
  const ending = Object.keys(ENDINGS).find((each) => text.endsWith(each));
  if (ending) return html`<${Ended} message=${message} text=${text} ending=${ending} />`;
  const mayGrow = text.endsWith(GROWING) && ageMs(message) < STILL_GROWING_MS;
  return mayGrow ? html`<${Growing} message=${message} text=${text} />` : null;
}
