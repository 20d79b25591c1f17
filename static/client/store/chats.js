/** Groups: made, changed and left. The packets that follow change what is shown. Promises reject with ApiError. */

import { loadChat } from "./chat_loading.js";
import { request } from "./requests.js";

/**
 * Make a group.
 * @param {string} name @param {number[]} memberIds friends
 * @returns {Promise<number>} the id of the chat, which is in the list by then
 */
export async function createChat(name, memberIds) {
  const { chat_id } = await request("POST", "/chat/new", { chat_name: name, chat_members: memberIds });
  await loadChat(chat_id);
  return chat_id;
}

/** Rename a group. */
export const renameChat = (id, name) => request("PATCH", `/chat/${id}`, { chat_name: name });

const leaving = new Set();

/** Leave a group; if the owner does, it is deleted. */
export async function leaveChat(id) {
  leaving.add(id);
  try {
    await request("DELETE", `/chat/${id}`);
  } catch (error) {
    leaving.delete(id);
    throw error;
  }
}

/** Whether this tab has asked to leave a chat. */
export const isLeaving = (id) => leaving.has(id);

/** Remove a member. */
export const removeMember = (id, userId) => request("DELETE", `/chat/${id}/${userId}`);

/** Make a member an admin, or an admin a plain member. */
export const setAdmin = (id, userId, isAdmin) => request("POST", `/chat/${id}/${userId}/admin`, isAdmin);

/** Hand a group over to a member. */
export const setOwner = (id, userId) => request("POST", `/chat/${id}/set_owner`, { chat_owner: userId });
