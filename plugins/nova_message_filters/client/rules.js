/** The rules of groups, as the server keeps them. */

import { parts, request, signal } from "nova";

const kept = signal(new Map());

parts.onSignedIn(() => { kept.value = new Map(); });

/**
 * The rules of a group as last read: {items: Rule[]|null (not there yet), error}.
 * @param {number} chatId
 */
export const rulesOf = (chatId) => kept.value.get(chatId) ?? { items: null, error: null };

function put(chatId, values) {
  kept.value = new Map(kept.peek()).set(chatId, { ...(kept.peek().get(chatId) ?? { items: null }), ...values });
}

/** Read the rules of a group: nobody is told of changes by other managers. */
export async function loadRules(chatId) {
  try {
    put(chatId, { items: await request("GET", `/chat/${chatId}/rules`), error: null });
  } catch (error) {
    put(chatId, { error });
  }
}

function putRule(chatId, rule) {
  const items = (kept.peek().get(chatId)?.items ?? []).filter((other) => other.rule_id !== rule.rule_id);
  put(chatId, { items: [...items, rule].sort((one, other) => one.rule_id - other.rule_id) });
}

/**
 * Make a rule, or replace fields of one.
 * @param {number} chatId
 * @param {number|null} ruleId null: a new one
 * @param {object} fields of Rule
 * @throws {ApiError}
 */
export async function saveRule(chatId, ruleId, fields) {
  const path = `/chat/${chatId}/rules`;
  const saved = ruleId === null ? request("POST", path, fields) : request("PATCH", `${path}/${ruleId}`, fields);
  putRule(chatId, await saved);
}

/**
 * Take a rule away.
 * @throws {ApiError}
 */
export async function deleteRule(chatId, ruleId) {
  await request("DELETE", `/chat/${chatId}/rules/${ruleId}`);
  put(chatId, { items: (kept.peek().get(chatId)?.items ?? []).filter((rule) => rule.rule_id !== ruleId) });
}

/**
 * What a rule would have hit among the newest messages; nobody is told.
 * @param {number} chatId
 * @param {number|null} ruleId a stored one, or null
 * @param {object|undefined} rule the whole of a rule that is not stored
 * @param {number} messageCount how many messages to look at
 * @returns {Promise<{looked_at: number, complete: boolean, hit_count: number, authors: object[], hits: object[]}>}
 * @throws {ApiError}
 */
export const rehearse = (chatId, ruleId, rule, messageCount) =>
  request("POST", ruleId === null ? `/chat/${chatId}/rules/rehearse` : `/chat/${chatId}/rules/${ruleId}/rehearse`,
    { messages: messageCount, ...(rule ? { rule } : {}) });
