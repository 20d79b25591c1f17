/** Groups grow: members propose friends, the owner and the admins answer. */

import { Button, html, isManaged, parts, state, t } from "nova";
import { openInviteDialog } from "./invite_dialog.js";
import { AllProposals, ProposalsOfGroup } from "./proposal_list.js";
import { followProposals, proposalCount } from "./proposals.js";

function GroupSection({ chat }) {
  return html`
    ${isManaged(chat) && html`<${ProposalsOfGroup} chat=${chat} />`}
    <div class="invitations-invite">
      <${Button} icon="user-plus" onClick=${() => openInviteDialog(chat.chat_id)}>${t("invitations.invite")}<//>
      ${state.myRole(chat) === "member" && html`<p class="field-hint">${t("invitations.member_hint")}</p>`}
    </div>
  `;
}

/** Add the plugin's parts to the client. */
export default function register() {
  followProposals();
  parts.addGroupSection({ id: "invitations", appliesTo: (chat) => !chat.is_private, component: GroupSection });
  parts.addNotifications({ id: "invitations", count: proposalCount, component: AllProposals });
}
