/** What can be done with a friend and with the groups of friends: the dialogs, and the menus that lead to them. */

import { html, useId, useState } from "../html.js";
import { t } from "../i18n.js";
import {
  createGroup, deleteGroup, moveToGroup, removeFriend, renameGroup, setNickname,
} from "../store/friends.js";
import { displayName, friendGroups, friends, user } from "../store/state.js";
import { showToast } from "../toasts.js";
import { Button, confirmDialog, Dialog, Field, Notice, openDialog } from "../ui/index.js";
import { attempt, useAction } from "./action.js";
import { countCharacters } from "./character_count.js";
import { openNameDialog } from "./name_dialog.js";
import { openPrivateChat } from "./relation.js";

/** As the server has them: domain/rules.py. */
const FRIEND_GROUP_NAME_MAX_CHARACTERS = 50;
const NICKNAME_MAX_CHARACTERS = 100;

/** What to call a friend group; the default one has no name of its own. */
export const friendGroupName = (group) => group.group_name || t("friends.default_group");

/** Ask for a name and make a friend group of it. */
export function openNewFriendGroup() {
  return openNameDialog({
    title: t("friends.new_group"),
    label: t("friends.group_name"),
    hint: t("friends.group_hint"),
    maxCharacters: FRIEND_GROUP_NAME_MAX_CHARACTERS,
    confirm: t("common.create"),
    save: createGroup,
  });
}

/** Ask for another name of a friend group. */
export function openRenameFriendGroup(group) {
  return openNameDialog({
    title: t("friends.rename_group"),
    label: t("friends.group_name"),
    value: group.group_name,
    maxCharacters: FRIEND_GROUP_NAME_MAX_CHARACTERS,
    save: (name) => renameGroup(group.group_id, name),
  });
}

/** Delete a friend group, after a question if anybody is in it. */
export async function confirmDeleteFriendGroup(group) {
  const count = [...friends.value.values()].filter((friend) => friend.group_id === group.group_id).length;
  const isSure = count === 0 || (await confirmDialog({
    title: t("friends.delete_group_title", { name: group.group_name }),
    text: t("friends.delete_group_text", { count, group: t("friends.default_group") }),
    confirm: t("common.delete"),
    danger: true,
  }));
  if (isSure) {
    await attempt(() => deleteGroup(group.group_id), t("friends.group_deleted", { name: group.group_name }));
  }
}

/** Ask what this user wants to call a friend. */
export function openNickname(userId) {
  return openNameDialog({
    title: t("friends.nickname_title", { name: user(userId).user_name }),
    label: t("friends.nickname"),
    hint: t("friends.nickname_hint"),
    value: friends.value.get(userId)?.nickname ?? "",
    maxCharacters: NICKNAME_MAX_CHARACTERS,
    isRequired: false,
    save: (nickname) => setNickname(userId, nickname),
  });
}

/** End a friendship, after a question. */
export async function confirmRemoveFriend(userId) {
  const name = displayName(userId);
  const isSure = await confirmDialog({
    title: t("friends.remove_title", { name }),
    text: t("friends.remove_text", { name }),
    confirm: t("friends.remove_confirm"),
    danger: true,
  });
  if (isSure) {
    await attempt(() => removeFriend(userId), t("friends.removed", { name }));
  }
}

function movedText(userId) {
  const { group_id: id } = friends.value.get(userId);
  const group = friendGroups.value.find(({ group_id: other }) => other === id);
  return t("friends.moved", { name: displayName(userId), group: friendGroupName(group) });
}

/** Move a friend to one of the groups, and say so. */
export function moveFriend(userId, groupId) {
  if (friends.value.get(userId)?.group_id === groupId) {
    return Promise.resolve(true);
  }
  return attempt(() => moveToGroup(userId, groupId), () => movedText(userId));
}

const NEW_GROUP = "new";

function MoveDialog({ userId, close }) {
  const [chosen, setChosen] = useState(friends.value.get(userId)?.group_id ?? NEW_GROUP);
  const [name, setName] = useState("");
  const radioName = useId();
  const isNew = chosen === NEW_GROUP;
  const check = () => ({
    name: isNew && (!name.trim()
      ? t("errors.name_missing")
      : countCharacters(name.trim()) > FRIEND_GROUP_NAME_MAX_CHARACTERS &&
        t("errors.name_longer", { count: FRIEND_GROUP_NAME_MAX_CHARACTERS })),
  });
  const move = async () => {
    let groupId = chosen;
    if (isNew) {
      groupId = (await createGroup(name.trim())).group_id;
      setChosen(groupId); // should moving fail, the next try must not make another one
    }
    await moveToGroup(userId, groupId);
  };
  const { start, isBusy, errors, bind, ref } = useAction(move, { check, fields: { name: /group name/i } });
  const submit = async () => {
    if (friends.value.get(userId)?.group_id === chosen) {
      close();
    } else if (await start()) {
      close();
      showToast(movedText(userId), { kind: "success" });
    }
  };
  const options = [
    ...friendGroups.value.map((group) => ({ value: group.group_id, label: friendGroupName(group) })),
    { value: NEW_GROUP, label: t("friends.new_group_option") },
  ];
  const footer = html`
    <${Button} onClick=${() => close()}>${t("common.cancel")}<//>
    <${Button} type="submit" variant="primary" busy=${isBusy}>${t("friends.move")}<//>
  `;
  return html`
    <${Dialog} title=${t("friends.move_title", { name: displayName(userId) })} size="s" footer=${footer}
      onClose=${() => close()} onSubmit=${submit}>
      <div ref=${ref} class="people-form">
        <div role="radiogroup" aria-label=${t("friends.group")} class="radio-list">
          ${options.map(({ value, label }) => html`
            <label key=${value} class="row radio-row">
              <input type="radio" name=${radioName} checked=${value === chosen} onChange=${() => setChosen(value)}
                ...${value === chosen ? { "data-autofocus": true } : {}} />
              <span class="row-words">${label}</span>
            </label>
          `)}
        </div>
        ${isNew && html`<${Field} label=${t("friends.group_name")} value=${name} ...${bind("name", setName)}
          autocomplete="off" />`}
        ${errors.form && html`<${Notice} kind="error">${errors.form}<//>`}
      </div>
    <//>
  `;
}

/** Ask to which group a friend shall belong; it may be a new one. */
export const openMoveFriend = (userId) =>
  openDialog((close) => html`<${MoveDialog} userId=${userId} close=${close} />`);

/**
 * The entries of a friend's menu.
 *
 * @param {number} userId
 * @param {{withMessage?: boolean}} [options] whether the way to the private chat is among them
 * @returns {object[]} MenuItems
 */
export function friendMenu(userId, { withMessage = true } = {}) {
  return [
    withMessage && { label: t("friends.message"), icon: "chat", onSelect: () => openPrivateChat(userId) },
    { label: t("friends.set_nickname"), icon: "edit", onSelect: () => openNickname(userId) },
    { label: t("friends.move_to_group"), icon: "list", onSelect: () => openMoveFriend(userId) },
    "-",
    { label: t("friends.remove"), icon: "user-minus", danger: true, onSelect: () => confirmRemoveFriend(userId) },
  ];
}

/** The entries of a friend group's menu. */
export function friendGroupMenu(group) {
  return [
    { label: t("common.rename"), icon: "edit", onSelect: () => openRenameFriendGroup(group) },
    { label: t("friends.delete_group"), icon: "trash", danger: true, onSelect: () => confirmDeleteFriendGroup(group) },
  ];
}
