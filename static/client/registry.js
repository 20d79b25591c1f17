/** What the parts of plugins add to the client. The core knows none of them; it shows what stands here. */

import { signal } from "@preact/signals";
import { KNOWN_ERRORS } from "./server_texts.js";

/** Entries of the details panel and the chat's menu: {id, title(), icon, appliesTo(chat), component: ({chat})}. */
export const chatPanels = signal([]);
/** Sections inside the group panel: {id, appliesTo(chat), component: ({chat})}. */
export const groupSections = signal([]);
/** Sections of the notification centre: {id, count: ReadonlySignal<number>, component}. */
export const notificationSections = signal([]);
/** Functions (message) → vnode or null; the first vnode is shown in place of the message's text. */
export const messageRenderers = signal([]);
/** Functions async (chat) → [{name, usage, help}]: what can be typed after a slash. */
export const commandSources = signal([]);
/** Sections in the friends view: {id, component}. */
export const peopleSections = signal([]);
/** Pages of the settings: {id, title(), icon, component}. */
export const settingsPages = signal([]);
/** What is offered to who has no chat yet: {id, component}, the component is a Button. */
export const welcomeActions = signal([]);

// Parts are loaded while the client signs in: who comes late is told what the others were told.
const signedIn = { listeners: new Set(), told: null };
const caughtUp = { listeners: new Set(), told: null };

function add(list, entry) {
  list.value = [...list.value.filter((other) => entry.id === undefined || other.id !== entry.id), entry];
}

function listen(event, listener) {
  event.listeners.add(listener);
  if (event.told) call(listener, event.told);
  return () => event.listeners.delete(listener);
}

/** How a plugin's part adds itself; an entry with the id of an earlier one replaces it. */
export const parts = {
  addChatPanel: (panel) => add(chatPanels, panel),
  addGroupSection: (section) => add(groupSections, section),
  addNotifications: (section) => add(notificationSections, section),
  addMessageRenderer: (render) => add(messageRenderers, render),
  addCommands: (source) => add(commandSources, source),
  addPeopleSection: (section) => add(peopleSections, section),
  addSettings: (page) => add(settingsPages, page),
  /** Refusals of the plugin that it has texts for: [the sentence or a pattern, key, names of the pattern's groups]. */
  addErrors: (known) => KNOWN_ERRORS.push(...known),
  addWelcome: (action) => add(welcomeActions, action),
  /** Call a function with the user after each sign-in. → unsubscribe */
  onSignedIn: (listener) => listen(signedIn, listener),
  /** Call a function after each time that the client is up to date again: load one's own data. → unsubscribe */
  onCaughtUp: (listener) => listen(caughtUp, listener),
};

function call(listener, values) {
  try {
    Promise.resolve(listener(...values)).catch((error) => console.warn("A plugin's part failed:", error));
  } catch (error) {
    console.warn("A plugin's part failed:", error);
  }
}

function tell(event, ...values) {
  event.told = values;
  event.listeners.forEach((listener) => call(listener, values));
}

/** Tell the parts that somebody has signed in. Called by the store. */
export const tellSignedIn = (user) => tell(signedIn, user);

/** Tell the parts that everything is up to date again. Called by the store. */
export const tellCaughtUp = () => tell(caughtUp);

/** Nobody is signed in any more. Called by the store. */
export function noteSignedOut() {
  signedIn.told = caughtUp.told = null;
}
