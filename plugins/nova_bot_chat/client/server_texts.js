/** What the bots and commands of this plugin say about themselves, in the languages of the client. */

import { t } from "nova";

/** The server speaks English to everybody: its words → the key of the text. Other plugins' words stay as they are. */
const KNOWN = {
  "The built-in assistant: unread chats, search, summaries, reminders, polls, dice and time. Try /help.":
    "bots.help_nova",
  "I say what you say.": "bots.help_echo",
  "Answers questions and talks about anything.": "bots.help_openai",
  "List the commands, or explain one.": "bots.help_help",
  "Ask the chat a question with 2 to 10 options.": "bots.help_poll",
  "Remind you later, here: in 10m, 1h30m, 2d … (s, m, h, d, w).": "bots.help_remind",
  "Roll dice: 1–6, one die of that many sides, or N dice of M sides plus K.": "bots.help_roll",
  "Find messages: in private in all your chats, in a group there.": "bots.help_search",
  "What a chat's last messages were about; in a group: of that group.": "bots.help_summary",
  "What time it is in a time zone or a city.": "bots.help_time",
  "Your chats with unread messages (in private).": "bots.help_unread",
  "Vote in the latest poll of the chat, or in an earlier one.": "bots.help_vote",
  "[command]": "bots.usage_help",
  "question | option | option …": "bots.usage_poll",
  "10m text | list | cancel N": "bots.usage_remind",
  "[sides | NdM+K]": "bots.usage_roll",
  "words": "bots.usage_search",
  "[chat name or id]": "bots.usage_summary",
  "[zone or city]": "bots.usage_time",
  "[poll] option": "bots.usage_vote",
};

/**
 * A sentence or usage in the language that is shown.
 * @param {string} text as the server said it
 * @returns {string} the text as it is if it is none of this plugin's
 */
export const botText = (text) => (Object.hasOwn(KNOWN, text) ? t(KNOWN[text]) : text);
