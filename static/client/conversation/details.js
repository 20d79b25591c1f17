/** What stands beside the messages, or over them where there is no room: the group, the person, panels of plugins. */

import { html, useEffect, useLayoutEffect, useRef } from "../html.js";
import { t } from "../i18n.js";
import { GroupPanel, PersonPanel } from "../later.js";
import { chatPanels } from "../registry.js";
import { navigate } from "../route.js";
import { otherMember } from "../store/state.js";
import { IconButton, useShortcut } from "../ui/index.js";

/** The panel that is not a plugin's, in the address: `#/chats/7/panel/details`. */
export const DETAILS = "details";

function contentOf(chat, panel) {
  const chatId = chat.chat_id;
  if (panel !== DETAILS) {
    const found = chatPanels.value.find(({ id, appliesTo }) => id === panel && appliesTo(chat));
    if (!found) return null;
    return { title: found.title(), body: html`<${found.component} key=${panel} chat=${chat} />` };
  }
  const otherId = otherMember(chat);
  return otherId === null
    ? { title: t("chat.details"), body: html`<${GroupPanel} chatId=${chatId} />` }
    : { title: t("chat.profile"), body: html`<${PersonPanel} userId=${otherId} />` };
}

/**
 * The panel that is open.
 * @param {{chat: object, panel: string}} props
 */
export function Details({ chat, panel }) {
  const ref = useRef(null);
  const close = () => navigate(`#/chats/${chat.chat_id}`);
  useShortcut("escape", close, "");
  // The focus goes in with the panel and back with it.
  useLayoutEffect(() => {
    const before = document.activeElement;
    ref.current?.querySelector(".pane-title").focus({ preventScroll: true });
    return () => {
      const isLost = !document.activeElement || document.activeElement === document.body;
      if ((isLost || ref.current?.contains(document.activeElement)) && before?.isConnected) {
        before.focus({ preventScroll: true });
      }
    };
  }, []);
  const content = contentOf(chat, panel);
  useEffect(() => {
    if (!content) navigate(`#/chats/${chat.chat_id}`, { replace: true });
  }, [!content]);
  if (!content) return null;
  return html`
    <aside ref=${ref} class="details" aria-label=${content.title}>
      <header class="pane-header details-header">
        <h2 class="pane-title truncate" tabindex="-1">${content.title}</h2>
        <div class="pane-actions"><${IconButton} icon="close" label=${t("common.close")} onClick=${close} /></div>
      </header>
      <div class="details-content">${content.body}</div>
    </aside>
  `;
}
