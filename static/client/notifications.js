/** The notification centre: what waits for this user's answer. */

import { html, useRef, useState } from "./html.js";
import { t } from "./i18n.js";
import { openFindPeople } from "./people/find_people.js";
import { sayFriends } from "./people/invite_form.js";
import { openPersonCard } from "./people/person_panel.js";
import { attempt } from "./people/action.js";
import { notificationCount } from "./notification_count.js";
import { notificationSections } from "./registry.js";
import { acceptInvitation, rejectInvitation } from "./store/friends.js";
import { chats, chatTitle, displayName, friendInvitations, isBot, isLoaded } from "./store/state.js";
import { Avatar, Button, EmptyState, Pane, Panes, Skeleton, Tag } from "./ui/index.js";

/** Where the sender has found this user. */
function sourceText(source) {
  if (source === "search") {
    return t("notifications.from_search");
  }
  const chat = chats.value.get(source);
  return chat ? t("notifications.from_chat", { chat: chatTitle(chat) }) : t("notifications.from_group");
}

function Invitation({ invitation }) {
  const { id, sender, comment, source } = invitation;
  const [busy, setBusy] = useState(null);
  const card = useRef(null);
  const name = displayName(sender.id);
  const answer = async (kind, ask) => {
    const pane = card.current.closest(".pane");
    setBusy(kind);
    const isDone = await attempt(() => ask(id));
    setBusy(null);
    // The card is gone, and the focus with it: it goes on to the next one.
    requestAnimationFrame(() => {
      if (document.activeElement === document.body) {
        (pane.querySelector(".invitation button") ?? pane.querySelector(".pane-title"))?.focus();
      }
    });
    if (isDone && kind === "accept") {
      sayFriends(sender.id);
    }
  };
  return html`
    <li class="invitation card" ref=${card} aria-labelledby=${`invitation-${id}`}>
      <button type="button" class="invitation-person" onClick=${() => openPersonCard(sender.id)}
        aria-label=${t("notifications.profile_of", { name })}>
        <${Avatar} userId=${sender.id} size=${48} />
      </button>
      <div class="invitation-words">
        <p id=${`invitation-${id}`}>
          <strong>${name}</strong>${" "}${isBot(sender.id) && html`<${Tag}>${t("common.bot")}<//>${" "}`}
          <span>${t("notifications.asks")}</span>
        </p>
        <p class="muted small">${sourceText(source)}</p>
        ${comment.trim() && html`<blockquote class="invitation-comment">${comment}</blockquote>`}
        <div class="form-buttons form-buttons-start">
          <${Button} variant="primary" busy=${busy === "accept"} disabled=${busy === "decline"}
            aria-label=${t("friends.accept_of", { name })} onClick=${() => answer("accept", acceptInvitation)}>
            ${t("friends.accept")}
          <//>
          <${Button} busy=${busy === "decline"} disabled=${busy === "accept"}
            aria-label=${t("notifications.decline_of", { name })} onClick=${() => answer("decline", rejectInvitation)}>
            ${t("notifications.decline")}
          <//>
        </div>
      </div>
    </li>
  `;
}

function Content() {
  if (!isLoaded.value) {
    return html`<${Skeleton} rows=${3} />`;
  }
  const invitations = friendInvitations.value;
  return html`
    ${notificationCount.value === 0 && html`
      <${EmptyState} icon="bell" title=${t("notifications.empty_title")} text=${t("notifications.empty_text")}>
        <${Button} icon="user-plus" onClick=${openFindPeople}>${t("chats.find_people")}<//>
      <//>
    `}
    ${invitations.length > 0 && html`
      <section>
        <h2 class="section-title">${t("notifications.friend_invitations")}</h2>
        <ul class="invitations">
          ${invitations.map((invitation) => html`<${Invitation} key=${invitation.id} invitation=${invitation} />`)}
        </ul>
      </section>
    `}
    ${notificationSections.value.map(({ id, component: Component }) => html`<${Component} key=${id} />`)}
  `;
}

/** The view "notifications". */
export function NotificationsView() {
  const main = html`
    <${Pane} title=${t("notifications.title")} headingLevel="h1" isNarrow class="notifications"><${Content} /><//>
  `;
  return html`<${Panes} main=${main} isMainOpen />`;
}
