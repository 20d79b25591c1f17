import { html } from "../html.js";
import { t } from "../i18n.js";
import { groupSections } from "../registry.js";
import { chats, chatTitle, myRole } from "../store/state.js";
import { ChatAvatar, Icon, IconButton } from "../ui/index.js";
import { confirmLeaveGroup, mayRename, openRenameGroup } from "./group_actions.js";
import { MemberList } from "./member_list.js";

/**
 * What a group is, who is in it, and what can be done with it: content for a pane.
 *
 * @param {{chatId: number}} props
 */
export function GroupPanel({ chatId }) {
  const chat = chats.value.get(chatId);
  if (!chat || chat.is_private) {
    return null; // it is gone: whoever shows the panel will see that, too
  }
  const isOwner = myRole(chat) === "owner";
  const sections = groupSections.value.filter((section) => section.appliesTo?.(chat) ?? true);
  return html`
    <div class="group-panel">
      <header class="person-head">
        <${ChatAvatar} chat=${chat} size=${80} />
        <div class="person-names">
          <h3 class="person-name group-name">
            <span>${chatTitle(chat)}</span>
            ${mayRename(chat) && html`
              <${IconButton} icon="edit" size=${18} label=${t("members.rename")}
                onClick=${() => openRenameGroup(chat)} />
            `}
          </h3>
        </div>
      </header>
      ${sections.map(({ id, component: Component }) => html`<${Component} key=${id} chat=${chat} />`)}
      <${MemberList} chat=${chat} />
      <button type="button" class="row danger-row" onClick=${() => confirmLeaveGroup(chat)}>
        <${Icon} name=${isOwner ? "trash" : "log-out"} />
        <span class="row-words">${t(isOwner ? "members.delete" : "members.leave")}</span>
      </button>
    </div>
  `;
}
