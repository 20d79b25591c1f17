/** Searching a chat's messages; rules on what may be said, and what came of them. */

import { html, isManaged, loadedLater, navigate, onPacket, parts, showToast, state, t, Tabs, useState } from "nova";
import { ERRORS } from "./errors.js";
import { followHeld, heldCount, heldMessages } from "./held.js";
import { HeldOfAllGroups, HeldOfGroup } from "./held_list.js";
import { followResults } from "./search.js";

const Mutes = loadedLater(() => import("./mutes_panel.js"), "Mutes");
const Rules = loadedLater(() => import("./rules_panel.js"), "Rules");
const SearchPanel = loadedLater(() => import("./search_panel.js"), "SearchPanel");
const CONTENTS = { rules: Rules, held: HeldOfGroup, mutes: Mutes };

function RulesPanel({ chat }) {
  const waiting = heldMessages.value.get(chat.chat_id)?.items?.length ?? 0;
  const [selected, setSelected] = useState(waiting ? "held" : "rules");
  if (!isManaged(chat)) return null; // the right to it was lost while it was open
  const tabs = [
    { id: "rules", label: t("filters.rules") },
    { id: "held", label: t("filters.waiting"), count: waiting },
    { id: "mutes", label: t("filters.muted") },
  ];
  const Content = CONTENTS[selected];
  return html`
    <div class="filters-panel">
      <${Tabs} label=${t("filters.rules")} tabs=${tabs} selected=${selected} onSelect=${setSelected}
        class="filters-tabs">
        <${Content} chat=${chat} />
      <//>
    </div>
  `;
}

/** Tell the author what became of a message that was held. */
function followOwn() {
  const chatOf = ({ chat_id: id }) => {
    const chat = state.chats.peek().get(id);
    return chat ? state.chatTitle(chat) : "";
  };
  onPacket("message_approved", (data) => showToast(t("filters.yours_approved", { chat: chatOf(data) }), {
    kind: "success",
    action: { label: t("filters.show"), run: () => navigate(`#/chats/${data.chat_id}/messages/${data.message_id}`) },
  }));
  onPacket("message_declined", (data) => showToast(t("filters.yours_declined", { chat: chatOf(data) })));
}

/** Add the plugin's parts to the client. */
export default function register() {
  followHeld();
  followOwn();
  followResults();
  parts.addErrors(ERRORS);
  parts.addChatPanel({ id: "search", title: () => t("filters.search"), icon: "search", appliesTo: () => true,
    component: SearchPanel });
  parts.addChatPanel({ id: "rules", title: () => t("filters.rules"), icon: "shield", appliesTo: isManaged,
    component: RulesPanel });
  parts.addNotifications({ id: "held", count: heldCount, component: HeldOfAllGroups });
}
