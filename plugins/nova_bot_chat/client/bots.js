/** The bots of this server, and the commands that can be given to them. */

import { attempt, inviteFriend, openPrivateChat, parts, request, signal, state } from "nova";
import { botText } from "./server_texts.js";

/**
 * `bots` [{user: User.Basic, help}], the one that carries out the commands first; `commands` [{name, usage, help}] by
 * name; `isLoaded`; `error` of the last try.
 */
export const known = signal({ bots: [], commands: [], isLoaded: false, error: null });

/** Ask the server. Bots and commands come with plugins, so a restart may change them. */
export async function loadBots() {
  try {
    const { bots, commands } = await request("GET", "/bots");
    bots.forEach(({ user }) => state.rememberUser(user));
    known.value = { bots, commands, isLoaded: true, error: null };
  } catch (error) {
    known.value = { ...known.peek(), error };
  }
}

parts.onCaughtUp(loadBots);

/** The bot that carries out the commands, User.Basic, or null. */
export const assistant = () => known.value.bots[0]?.user ?? null;

/**
 * Go to the chat with a bot. Bots accept every request for friendship at once.
 * @param {number} userId
 */
export async function chatWith(userId) {
  const isThere = state.isFriend(userId) || await attempt(() => inviteFriend(userId));
  if (isThere) await openPrivateChat(userId);
}

/**
 * What can be typed after a slash in a chat.
 * @param {object} chat
 * @returns {Promise<{name: string, usage: string, help: string}[]>} `name` without the slash, `usage` with it;
 *   none where nobody would carry them out
 */
export async function commandsFor(chat) {
  if (!known.peek().isLoaded) await loadBots();
  const bot = assistant();
  if (!bot || !chat.member_ids.includes(bot.id)) return [];
  return known.peek().commands.map(({ name, usage, help }) =>
    ({ name, usage: `/${name} ${botText(usage)}`.trimEnd(), help: botText(help) }));
}
