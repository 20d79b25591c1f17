/** Friends, how they are kept, and invitations. Promises reject with ApiError. */

import { request } from "./requests.js";
import { friends, rememberUser } from "./state.js";
import { applyEverywhere } from "./tabs.js";

/**
 * Find users by a part of their name, or by their id (digits, or # and digits).
 * @param {string} text
 * @returns {Promise<object[]>} User.Basic
 */
export async function findUsers(text) {
  const name_contains = text.trim();
  const [, id] = /^#?(\d{1,15})$/.exec(name_contains) ?? [];
  if (!id) return remember(await request("POST", "/friend/find", { name_contains }));
  const searches = [request("POST", "/friend/find", { name_contains: id })];
  if (Number(id) > 0) searches.push(request("POST", "/friend/find", { id: Number(id) }));
  const found = (await Promise.all(searches)).flat();
  return remember([...new Map(found.map((user) => [user.id, user])).values()]);
}

function remember(users) {
  users.forEach((user) => rememberUser(user));
  return users;
}

/**
 * Ask a user for friendship, or accept if that user has asked first.
 * @param {number} userId @param {string} comment
 * @param {"search"|number} source the id of a chat that both are in
 * @returns {Promise<object|null>} Friend if they are friends now, null if it waits for an answer
 */
export async function inviteFriend(userId, comment = "", source = "search") {
  const friend = await request("POST", "/friend/invite", { id: userId, comment, source });
  if (friend) applyEverywhere("friend_changed", { friend });
  return friend;
}

/** Accept an invitation. */
export async function acceptInvitation(id) {
  const friend = await request("POST", `/friend/invitation/${id}`);
  applyEverywhere("friend_changed", { friend });
  applyEverywhere("friend_invitation_gone", { invitation_id: id });
}

/** Reject an invitation; its sender is not told. */
export async function rejectInvitation(id) {
  await request("DELETE", `/friend/invitation/${id}`);
  applyEverywhere("friend_invitation_gone", { invitation_id: id });
}

async function changeFriend(userId, changes) {
  applyEverywhere("friend_changed", { friend: await request("PATCH", `/friend/${userId}`, changes) });
}

/** Give a friend a nickname, "" for none. */
export const setNickname = (userId, nickname) => changeFriend(userId, { nickname });

/** Move a friend to another of one's friend groups. */
export const moveToGroup = (userId, groupId) => changeFriend(userId, { group_id: groupId });

/** End a friendship; the private chat goes with it. */
export async function removeFriend(userId) {
  const { user } = friends.peek().get(userId);
  await request("DELETE", `/friend/${userId}`);
  applyEverywhere("friend_deleted", { friend: user });
}

/**
 * Make a friend group.
 * @param {string} name
 * @returns {Promise<object>} FriendGroup
 */
export async function createGroup(name) {
  const group = await request("POST", "/friend/group/add", { group_name: name });
  applyEverywhere("friend_group_changed", { group });
  return group;
}

/** Rename a friend group, not the default one. */
export async function renameGroup(id, name) {
  const group = await request("PATCH", `/friend/group/${id}`, { group_name: name });
  applyEverywhere("friend_group_changed", { group });
}

/** Delete a friend group, not the default one; its friends move to that. */
export async function deleteGroup(id) {
  await request("DELETE", `/friend/group/${id}`);
  applyEverywhere("friend_group_deleted", { group_id: id });
}
