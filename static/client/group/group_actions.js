/** What can be done with a group and its members, as far as the signed-in user may. Source: actions.md, Chats. */

import { t } from "../i18n.js";
import { navigate, route } from "../route.js";
import { leaveChat, removeMember, renameChat, setAdmin, setOwner } from "../store/chats.js";
import { displayName, isFriend, me, myRole } from "../store/state.js";
import { confirmDialog } from "../ui/index.js";
import { attempt } from "../people/action.js";
import { befriend } from "../people/invite_form.js";
import { openNameDialog } from "../people/name_dialog.js";
import { openPersonCard } from "../people/person_panel.js";
import { openPrivateChat, relation } from "../people/relation.js";

/** As the server has it: domain/rules.py. */
export const CHAT_NAME_MAX_CHARACTERS = 60;

/**
 * What a member is in a group.
 *
 * @param {object} chat as the store has it
 * @param {number} userId
 * @returns {"owner"|"admin"|"member"}
 */
export const roleOf = (chat, userId) =>
  chat.owner_id === userId ? "owner" : chat.admin_ids.includes(userId) ? "admin" : "member";

/** Whether the signed-in user may rename a group. */
export const mayRename = (chat) => !chat.is_private && myRole(chat) !== "member";

function mayRemove(chat, userId) {
  const theirs = roleOf(chat, userId);
  return myRole(chat) === "owner" ? theirs !== "owner" : myRole(chat) === "admin" && theirs === "member";
}

/** Ask for another name of a group. */
export function openRenameGroup(chat) {
  return openNameDialog({
    title: t("members.rename"),
    label: t("members.group_name"),
    value: chat.chat_name,
    maxCharacters: CHAT_NAME_MAX_CHARACTERS,
    save: (name) => renameChat(chat.chat_id, name),
  });
}

/** Leave a group after a question; the owner's leaving deletes it, so its name has to be typed. */
export async function confirmLeaveGroup(chat) {
  const isOwner = myRole(chat) === "owner";
  const name = chat.chat_name;
  const kind = isOwner ? "delete" : "leave";
  const isSure = await confirmDialog({
    title: t(`members.${kind}_title`, { name }),
    text: isOwner ? t("members.delete_text", { count: chat.member_ids.length }) : t("members.leave_text"),
    confirm: t(`members.${kind}_confirm`),
    danger: true,
    requireText: isOwner ? name.trim() : undefined,
  });
  const said = t(isOwner ? "members.deleted" : "members.left", { name });
  if (isSure && (await attempt(() => leaveChat(chat.chat_id), said)) && route.value.chatId === chat.chat_id) {
    navigate("#/chats", { replace: true });
  }
}

async function changeAdmin(chat, userId, isAdmin) {
  const said = t(isAdmin ? "members.is_admin_now" : "members.no_admin_now", { name: displayName(userId) });
  await attempt(() => setAdmin(chat.chat_id, userId, isAdmin), said);
}

async function handOver(chat, userId) {
  const name = displayName(userId);
  const isSure = await confirmDialog({
    title: t("members.hand_over_title", { name }),
    text: t("members.hand_over_text", { name, chat: chat.chat_name }),
    confirm: t("members.hand_over_confirm"),
    danger: true,
  });
  if (isSure) {
    await attempt(() => setOwner(chat.chat_id, userId), t("members.is_owner_now", { name }));
  }
}

async function remove(chat, userId) {
  const name = displayName(userId);
  const isSure = await confirmDialog({
    title: t("members.remove_title", { name }),
    text: t("members.remove_text", { name, chat: chat.chat_name }),
    confirm: t("members.remove_confirm"),
    danger: true,
  });
  if (isSure) {
    await attempt(() => removeMember(chat.chat_id, userId), t("members.removed", { name }));
  }
}

/**
 * What the signed-in user can do with a member.
 *
 * @param {object} chat as the store has it
 * @param {number} userId another member
 * @returns {object[]} MenuItems
 */
export function memberMenu(chat, userId) {
  if (userId === me.value?.id) {
    return [];
  }
  const isMine = myRole(chat) === "owner";
  const isAdmin = chat.admin_ids.includes(userId);
  return [
    { label: t("members.profile"), icon: "user", onSelect: () => openPersonCard(userId, { chatId: chat.chat_id }) },
    isFriend(userId) && { label: t("friends.message"), icon: "chat", onSelect: () => openPrivateChat(userId) },
    ["asks", "stranger"].includes(relation(userId)) && {
      label: t("friends.add"), icon: "user-plus", onSelect: () => befriend(userId, chat.chat_id),
    },
    (isMine || mayRemove(chat, userId)) && "-",
    isMine && {
      label: t(isAdmin ? "members.remove_admin" : "members.make_admin"),
      icon: "shield",
      onSelect: () => changeAdmin(chat, userId, !isAdmin),
    },
    isMine && { label: t("members.hand_over"), icon: "crown", onSelect: () => handOver(chat, userId) },
    mayRemove(chat, userId) && {
      label: t("members.remove"), icon: "user-minus", danger: true, onSelect: () => remove(chat, userId),
    },
  ].filter(Boolean);
}
