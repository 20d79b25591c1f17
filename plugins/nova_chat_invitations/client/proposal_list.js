/** Proposals to be answered: rows, the group panel's section, the notification centre's. */

import {
  Avatar, Button, formatDate, formatList, formatRelative, html, Icon, IconButton, keepFocus, showToast, state, t,
  useEffect, useState,
} from "nova";
import { allProposals, answerProposal, loadProposals, proposals } from "./proposals.js";

function ProposalRow({ proposal, withGroup }) {
  const [answer, setAnswer] = useState(null);
  const { chatId, userId, inviterIds, createdAt } = proposal;
  const name = state.displayName(userId);
  const by = inviterIds.map((id) => id === state.me.value?.id ? t("invitations.you") : state.displayName(id));
  const chat = state.chats.value.get(chatId);
  const give = async (isApproved, button) => {
    const focusNext = keepFocus(button);
    setAnswer(isApproved ? "approve" : "decline");
    try {
      const isDone = await answerProposal(proposal, isApproved);
      const said = isDone ? (isApproved ? "invitations.approved" : "invitations.declined") : "invitations.gone";
      showToast(t(said, { name, group: chat?.chat_name ?? "" }), { kind: isDone ? "success" : "info" });
    } catch (error) {
      showToast(error.message, { kind: "error" });
      setAnswer(null);
    }
    focusNext();
  };
  return html`
    <li class="row invitations-row">
      <${Avatar} userId=${userId} size=${40} showPresence=${true} />
      <div class="row-words">
        <div class="row-title">${name}</div>
        <div class="row-text">
          ${withGroup && chat ? t("invitations.for_group_by", { group: chat.chat_name, names: formatList(by) })
            : t("invitations.proposed_by", { names: formatList(by) })}
          <span title=${formatDate(createdAt)}> · ${formatRelative(createdAt)}</span>
        </div>
      </div>
      <div class="row-actions">
        <${Button} size="s" variant="primary" busy=${answer === "approve"} disabled=${answer !== null}
          aria-label=${t("invitations.approve_name", { name })} onClick=${(event) => give(true, event.currentTarget)}>
          ${t("invitations.approve")}<//>
        <${IconButton} icon="close" label=${t("invitations.decline_name", { name })} busy=${answer === "decline"}
          disabled=${answer !== null} onClick=${(event) => give(false, event.currentTarget)} />
      </div>
    </li>
  `;
}

function Rows({ list, withGroup }) {
  return html`
    <ul class=${withGroup ? "card invitations-card" : ""}>
      ${list.map((proposal) => html`
        <${ProposalRow} key=${`${proposal.chatId} ${proposal.userId}`} proposal=${proposal} withGroup=${withGroup} />
      `)}
    </ul>
  `;
}

/**
 * The proposals of one group, for its managers; nothing as long as there is none.
 * @param {{chat: object}} props
 */
export function ProposalsOfGroup({ chat }) {
  useEffect(() => loadProposals(chat.chat_id), [chat.chat_id]);
  const { proposals: list, error } = proposals.value.get(chat.chat_id) ?? {};
  if (error && !list) {
    return html`
      <p class="invitations-error"><${Icon} name="alert" size=${16} />${error.message}
        <${Button} size="s" variant="ghost" onClick=${() => loadProposals(chat.chat_id)}>${t("invitations.retry")}<//>
      </p>
    `;
  }
  if (!list?.length) return null;
  return html`
    <section aria-label=${t("invitations.proposals")}>
      <h3 class="section-title">${t("invitations.proposals")}</h3>
      <${Rows} list=${list} />
    </section>
  `;
}

/** The proposals of all groups that the user manages. */
export function AllProposals() {
  useEffect(() => [...proposals.peek().keys()].forEach(loadProposals), []);
  const list = allProposals.value;
  if (!list.length) return null;
  return html`
    <section aria-label=${t("invitations.all_proposals")}>
      <h3 class="section-title">${t("invitations.all_proposals")}</h3>
      <${Rows} list=${list} withGroup=${true} />
    </section>
  `;
}
