/** How two become friends: the form of an invitation, and the button that leads to it. */

import { html, useEffect, useLayoutEffect, useRef, useState } from "../html.js";
import { t } from "../i18n.js";
import { acceptInvitation, inviteFriend } from "../store/friends.js";
import { displayName, isBot } from "../store/state.js";
import { showToast } from "../toasts.js";
import { Button, Dialog, Field, Notice, openDialog, Tag } from "../ui/index.js";
import { attempt, useAction } from "./action.js";
import { CharacterCount, countCharacters } from "./character_count.js";
import { invitationOf, noteInvited, openPrivateChat, relation } from "./relation.js";

/** As the server has it: domain/rules.py. */
const COMMENT_MAX_CHARACTERS = 500;

/** Say that somebody is a friend now, and offer to write. */
export function sayFriends(userId) {
  showToast(t("friends.now_friends", { name: displayName(userId) }), {
    kind: "success",
    action: { label: t("friends.message"), run: () => openPrivateChat(userId) },
  });
}

/**
 * Invite with some words.
 *
 * @param {object} props
 * @param {number} props.userId
 * @param {"search"|number} props.source where they were found: by searching, or the id of a chat that both are in
 * @param {() => void} props.onDone
 * @param {() => void} props.onCancel
 */
export function InviteForm({ userId, source, onDone, onCancel }) {
  const [comment, setComment] = useState("");
  const trimmed = comment.trim();
  const { start, isBusy, errors, bind, ref } = useAction(() => inviteFriend(userId, trimmed, source), {
    check: () => ({
      comment: countCharacters(trimmed) > COMMENT_MAX_CHARACTERS &&
        t("errors.comment_too_long", { count: COMMENT_MAX_CHARACTERS }),
    }),
    fields: { comment: /comment/i },
  });
  useLayoutEffect(() => {
    ref.current.querySelector("textarea").focus({ preventScroll: true });
    ref.current.scrollIntoView({ block: "nearest" }); // with its buttons
  }, []);
  const submit = async (event) => {
    event.preventDefault();
    if (!(await start())) {
      return;
    }
    onDone();
    if (relation(userId) === "friend") { // they had asked, too
      sayFriends(userId);
    } else {
      noteInvited(userId);
      showToast(t("friends.invitation_sent", { name: displayName(userId) }), { kind: "success" });
    }
  };
  const onKeyDown = (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      event.currentTarget.form.requestSubmit();
    }
  };
  const onFormKeyDown = (event) => {
    if (event.key === "Escape") {
      event.preventDefault(); // otherwise the dialog around closes
      event.stopPropagation();
      onCancel();
    }
  };
  return html`
    <form ref=${ref} class="invite-form" novalidate onSubmit=${submit} onKeyDown=${onFormKeyDown}>
      <${Field} label=${t("friends.comment")} rows=${2} value=${comment} ...${bind("comment", setComment)}
        placeholder=${t("friends.comment_example")} onKeyDown=${onKeyDown} data-autofocus />
      <${CharacterCount} text=${trimmed} max=${COMMENT_MAX_CHARACTERS} />
      ${errors.form && html`<${Notice} kind="error">${errors.form}<//>`}
      <div class="form-buttons">
        <${Button} onClick=${onCancel}>${t("common.cancel")}<//>
        <${Button} type="submit" variant="primary" icon="send" busy=${isBusy}>${t("friends.send_invitation")}<//>
      </div>
    </form>
  `;
}

/** Open the form of an invitation as a dialog. */
function openInvite(userId, source) {
  return openDialog((close) => html`
    <${Dialog} title=${t("friends.invite_title", { name: displayName(userId) })} size="s" onClose=${() => close()}>
      <${InviteForm} userId=${userId} source=${source} onDone=${() => close()} onCancel=${() => close()} />
    <//>
  `);
}

/**
 * Become friends with somebody, from a menu: asks for some words, or does at once what needs none.
 *
 * @param {number} userId
 * @param {"search"|number} source as of InviteForm
 */
export async function befriend(userId, source) {
  const invitation = invitationOf(userId);
  if (invitation && (await attempt(() => acceptInvitation(invitation.id)))) {
    sayFriends(userId);
  } else if (!invitation && !isBot(userId)) {
    await openInvite(userId, source);
  } else if (!invitation && (await attempt(() => inviteFriend(userId, "", source)))) {
    await openPrivateChat(userId);
  }
}

/**
 * The button beside somebody found: to write to a friend, to accept who has asked, to invite a stranger. A bot accepts
 * at once, so nothing is asked about it, and its chat opens.
 *
 * @param {object} props
 * @param {number} props.userId
 * @param {"search"|number} props.source as of InviteForm
 * @param {() => void} [props.onInvite] shows the form; without it a dialog does
 * @param {() => void} [props.onLeave] called before another view is opened
 * @param {"s"|"m"} [props.size]
 */
export function BefriendButton({ userId, source, onInvite, onLeave = () => {}, size = "m" }) {
  const [isBusy, setBusy] = useState(false);
  const place = useRef(null);
  const wasUsed = useRef(false);
  const kind = relation(userId);
  useEffect(() => {
    // What was pressed is replaced by something else: the focus stays at its place.
    if (wasUsed.current && document.activeElement === document.body) {
      (place.current?.querySelector("button") ?? place.current)?.focus();
    }
    wasUsed.current = false;
  }, [kind]);
  const run = async (ask) => {
    setBusy(true);
    const isDone = await attempt(ask);
    setBusy(false);
    return isDone;
  };
  const name = displayName(userId);
  const message = () => {
    onLeave();
    openPrivateChat(userId);
  };
  const accept = async () => {
    wasUsed.current = true;
    if (await run(() => acceptInvitation(invitationOf(userId).id))) {
      sayFriends(userId);
    }
  };
  const add = async () => {
    wasUsed.current = true;
    if (!isBot(userId)) {
      (onInvite ?? (() => openInvite(userId, source)))();
    } else if (await run(() => inviteFriend(userId, "", source))) {
      message();
    }
  };
  const variant = size === "s" ? "secondary" : "primary"; // in lists it stands many times
  const contents = {
    friend: () => html`<${Button} size=${size} variant=${variant} icon="chat" data-row onClick=${message}
      aria-label=${t("friends.message_to", { name })}>${t("friends.message")}<//>`,
    asks: () => html`<${Button} size=${size} variant="primary" icon="check" data-row busy=${isBusy} onClick=${accept}
      aria-label=${t("friends.accept_of", { name })}>${t("friends.accept")}<//>`,
    invited: () => html`<${Tag} tone="success">${t("friends.invited")}<//>`,
    stranger: () => html`<${Button} size=${size} variant=${variant} icon="user-plus" data-row busy=${isBusy}
      onClick=${add} aria-label=${t("friends.add_named", { name })}>
        ${t(size === "s" ? "friends.add_short" : "friends.add")}
      <//>`,
  };
  return contents[kind] ? html`<span ref=${place} class="befriend" tabindex="-1">${contents[kind]()}</span>` : null;
}
