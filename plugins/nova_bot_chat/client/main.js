/** Bots: where they are found, what can be said to them, and how their answers grow. */

import { parts } from "nova";
import { answer } from "./answers.js";
import { commandsFor } from "./bots.js";
import { BotsSection, Welcome } from "./bots_section.js";

/** Add the plugin's parts to the client. */
export default function register() {
  parts.addCommands(commandsFor);
  parts.addPeopleSection({ id: "bots", component: BotsSection });
  parts.addWelcome({ id: "bots", component: Welcome });
  parts.addMessageRenderer(answer);
}
