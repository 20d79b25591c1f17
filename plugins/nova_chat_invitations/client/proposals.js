/** The proposals of new members that wait in the groups that the user manages. */

import { computed, managedLists, onPacket, request, state } from "nova";

/** A proposal that another manager has answered meanwhile is refused with this (400). */
const BAD_REQUEST = 400;

const waiting = managedLists((chatId) => `/chat/${chatId}/invitation`);

/** Ask for the proposals of a group again: nobody is told of those that another manager declines. */
export const loadProposals = waiting.load;

/**
 * @typedef {object} Proposal of one user for one group, whoever made it
 * @property {number} chatId
 * @property {number} userId
 * @property {number[]} inviterIds the first one first
 * @property {number} createdAt when the first one was made, in seconds
 */

function proposalsIn(chatId, invitations) {
  const byUser = new Map();
  const isMember = new Set(state.chats.value.get(chatId)?.member_ids);
  for (const { user, invited_by: inviter, created_at: createdAt } of invitations) {
    if (isMember.has(user.id)) continue;
    const proposal = byUser.get(user.id) ?? { chatId, userId: user.id, inviterIds: [], createdAt };
    proposal.inviterIds.push(inviter.id);
    byUser.set(user.id, proposal);
  }
  return [...byUser.values()];
}

/**
 * Map of chat id → {proposals: Proposal[]|null (not there yet), error}.
 * @type {import("@preact/signals").ReadonlySignal<Map<number, {proposals: Proposal[]|null, error: Error|null}>>}
 */
export const proposals = computed(() => new Map([...waiting.lists.value].map(([chatId, { items, error }]) =>
  [chatId, { proposals: items && proposalsIn(chatId, items), error }])));

/** All proposals, the oldest first. */
export const allProposals = computed(() => [...proposals.value.values()].flatMap(({ proposals: some }) => some ?? [])
  .sort((one, other) => one.createdAt - other.createdAt));

/** How many proposals wait for the user. */
export const proposalCount = computed(() => allProposals.value.length);

function isSame(invitation, { user, invited_by: inviter }) {
  return invitation.user.id === user.id && invitation.invited_by.id === inviter.id;
}

const drop = (chatId, userId) =>
  waiting.change(chatId, (items) => items.filter((invitation) => invitation.user.id !== userId));

/** Listen to what the server tells of proposals. Called once. */
export function followProposals() {
  onPacket("chat_invitation", ({ invitation }) => {
    [invitation.user, invitation.invited_by].forEach((user) => state.rememberUser(user));
    waiting.change(invitation.chat_id, (items) =>
      [...items.filter((other) => !isSame(other, invitation)), invitation]);
  });
  onPacket("member_added", ({ chat_id: chatId, user_id: userId }) => drop(chatId, userId));
}

/**
 * Answer a proposal.
 * @param {Proposal} proposal
 * @param {boolean} isApproved whether the user becomes a member
 * @returns {Promise<boolean>} false: somebody else has answered already
 * @throws {ApiError}
 */
export async function answerProposal({ chatId, userId, inviterIds }, isApproved) {
  const path = `/chat/${chatId}/invitation/${userId}`;
  try {
    // Approving settles all proposals of a user, declining only the oldest.
    for (const _ of isApproved ? [0] : inviterIds) await request(isApproved ? "POST" : "DELETE", path);
  } catch (error) {
    loadProposals(chatId);
    if (error.status === BAD_REQUEST) return false;
    throw error;
  }
  drop(chatId, userId);
  return true;
}

/**
 * Propose a friend as a member of a group. What a manager proposes is approved at once.
 * @param {object} chat
 * @param {number} userId
 * @throws {ApiError}
 */
export async function propose(chat, userId) {
  await request("POST", `/chat/${chat.chat_id}/invite`, { user_id: userId });
  if (state.myRole(chat) !== "member") await request("POST", `/chat/${chat.chat_id}/invitation/${userId}`);
}
