import { html, useEffect, useRef, useState } from "../html.js";
import { t } from "../i18n.js";
import { rejectInvitation } from "../store/friends.js";
import { chatTitle, displayName, friendGroups, friends, isBot, user } from "../store/state.js";
import { showToast } from "../toasts.js";
import {
  Avatar, Button, ChatAvatar, Dialog, Icon, IconButton, LinkButton, Menu, Notice, openDialog, Tag,
} from "../ui/index.js";
import { attempt } from "./action.js";
import { friendGroupName, friendMenu, openMoveFriend, openNickname } from "./friend_actions.js";
import { BefriendButton } from "./invite_form.js";
import { commonGroups, invitationOf, presence, relation } from "./relation.js";

async function copyId(userId) {
  try {
    await navigator.clipboard.writeText(String(userId));
    showToast(t("common.copied"), { kind: "success" });
  } catch {
    showToast(t("common.not_copied"), { kind: "error" }); // no permission, or a page without https
  }
}

function Fact({ icon, label, children, action }) {
  return html`
    <li class="fact">
      <${Icon} name=${icon} />
      <div class="fact-words"><div class="fact-label">${label}</div>${children}</div>
      ${action}
    </li>
  `;
}

function Facts({ userId }) {
  const friend = friends.value.get(userId);
  const group = friend && friendGroups.value.find(({ group_id }) => group_id === friend.group_id);
  const { email, phone } = friend?.user ?? {};
  return html`
    <ul class="facts">
      ${email && html`<${Fact} icon="mail" label=${t("profile.email")}><a href=${`mailto:${email}`}>${email}</a><//>`}
      ${phone && html`<${Fact} icon="phone" label=${t("profile.phone")}><a href=${`tel:${phone}`}>${phone}</a><//>`}
      ${friend && html`
        <${Fact} icon="edit" label=${t("friends.nickname")} action=${html`
          <${IconButton} icon="edit" size=${18} label=${t("friends.set_nickname")}
            onClick=${() => openNickname(userId)} />
        `}>${friend.nickname || html`<span class="muted">${t("friends.no_nickname")}</span>`}<//>
      `}
      ${group && html`
        <${Fact} icon="list" label=${t("friends.group")} action=${html`
          <${IconButton} icon="edit" size=${18} label=${t("friends.move_to_group")}
            onClick=${() => openMoveFriend(userId)} />
        `}>${friendGroupName(group)}<//>
      `}
      <${Fact} icon="key" label=${t("profile.id")} action=${html`
        <${IconButton} icon="copy" size=${18} label=${t("profile.copy_id")} onClick=${() => copyId(userId)} />
      `}>${userId}<//>
    </ul>
  `;
}

function Invitation({ invitation }) {
  const [isBusy, setBusy] = useState(false);
  const decline = async () => {
    setBusy(true);
    await attempt(() => rejectInvitation(invitation.id));
    setBusy(false);
  };
  return html`
    <${Notice} icon="user-plus">
      <p>${t("notifications.wants_friendship", { name: displayName(invitation.sender.id) })}</p>
      ${invitation.comment && html`<p class="invitation-comment">${invitation.comment}</p>`}
      <div class="form-buttons form-buttons-start">
        <${BefriendButton} userId=${invitation.sender.id} source="search" size="s" />
        <${Button} size="s" busy=${isBusy} onClick=${decline}>${t("notifications.decline")}<//>
      </div>
    <//>
  `;
}

function Actions({ userId, chatId, onLeave }) {
  const kind = relation(userId);
  if (kind === "me") {
    return html`<${LinkButton} icon="edit" href="#/settings/profile" onClick=${onLeave}>${t("profile.edit")}<//>`;
  }
  const isSourceKnown = chatId !== null && commonGroups(userId).some((chat) => chat.chat_id === chatId);
  return html`
    ${kind !== "asks" &&
    html`<${BefriendButton} userId=${userId} source=${isSourceKnown ? chatId : "search"} onLeave=${onLeave} />`}
    ${kind === "friend" &&
    html`<${Menu} items=${friendMenu(userId, { withMessage: false })}
      label=${t("friends.menu_of", { name: displayName(userId) })} />`}
  `;
}

/**
 * Who somebody is, what is known of them, and what can be done: content for a pane or a dialog.
 *
 * @param {object} props
 * @param {number} props.userId
 * @param {number|null} [props.chatId] the group in which they were met
 * @param {() => void} [props.onLeave] called before another view is opened, such as to close the dialog around
 */
export function PersonPanel({ userId, chatId = null, onLeave = () => {} }) {
  const { user_name: userName } = user(userId);
  const name = displayName(userId);
  const kind = relation(userId);
  const isPresent = presence(userId);
  const invitation = invitationOf(userId);
  const groups = kind === "me" ? [] : commonGroups(userId);
  const nameHeading = useRef(null);
  const lastKind = useRef(kind);
  useEffect(() => {
    // An answered invitation is gone, and with it the button that had the focus.
    if (lastKind.current === "asks" && kind !== "asks" && document.activeElement === document.body) {
      nameHeading.current.focus({ preventScroll: true });
    }
    lastKind.current = kind;
  }, [kind]);
  return html`
    <div class="person-panel">
      <header class="person-head">
        <${Avatar} userId=${userId} size=${96} />
        <div class="person-names">
          <h3 class="person-name" ref=${nameHeading} tabindex="-1">
            ${name} ${isBot(userId) && html`<${Tag}>${t("common.bot")}<//>`}
          </h3>
          ${kind !== "nobody" && name !== userName && html`<p class="muted">${userName}</p>`}
          ${isPresent && html`<p class=${`person-presence person-${isPresent}`}>${t(`common.${isPresent}`)}</p>`}
        </div>
        ${kind !== "nobody" && html`
          <div class="person-actions">
            <${Actions} userId=${userId} chatId=${chatId} onLeave=${onLeave} />
          </div>
        `}
      </header>
      ${invitation && html`<${Invitation} invitation=${invitation} />`}
      ${kind !== "nobody" && html`<${Facts} userId=${userId} />`}
      ${groups.length > 0 && html`
        <section>
          <h4 class="section-title">${t("friends.common_groups", { count: groups.length })}</h4>
          <ul>
            ${groups.map((chat) => html`
              <li key=${chat.chat_id}>
                <a class="row" href=${`#/chats/${chat.chat_id}`} onClick=${onLeave}>
                  <${ChatAvatar} chat=${chat} size=${36} />
                  <span class="row-words">
                    <span class="row-title">${chatTitle(chat)}</span>
                    <span class="row-text">${t("members.count", { count: chat.member_ids.length })}</span>
                  </span>
                </a>
              </li>
            `)}
          </ul>
        </section>
      `}
    </div>
  `;
}

/**
 * Show who somebody is, over what is seen at present.
 *
 * @param {number} userId
 * @param {{chatId?: number|null}} [options] `chatId`: the group in which they were met
 * @returns {Promise<void>} resolves when it is closed
 */
export function openPersonCard(userId, { chatId = null } = {}) {
  return openDialog((close) => html`
    <${Dialog} title=${t("profile.card")} size="s" onClose=${() => close()}>
      <${PersonPanel} userId=${userId} chatId=${chatId} onLeave=${() => close()} />
    <//>
  `);
}
