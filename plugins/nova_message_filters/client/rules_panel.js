/** The rules of a group: which there are, on or off, and what can be done with them. */

import {
  attempt, Button, confirmDialog, EmptyState, formatList, html, Menu, Notice, Skeleton, showToast, Switch, t, Tag,
  useEffect, useState,
} from "nova";
import { formatDuration } from "./durations.js";
import { openRehearsal } from "./rehearsal.js";
import { openRuleForm } from "./rule_form.js";
import { deleteRule, loadRules, rulesOf, saveRule } from "./rules.js";

/** So many words or domains stand for all of them. */
const SHOWN_WORDS = 3;
/** A group has no more. */
const RULES_MAX_COUNT = 50;
const TONES = { mask: "neutral", hold: "warning", refuse: "danger", mute: "danger" };

function someOf(words) {
  const rest = words.length - SHOWN_WORDS;
  return formatList([...words.slice(0, SHOWN_WORDS), ...(rest > 0 ? [t("filters.more_words", { count: rest })] : [])]);
}

/** What a rule looks for, in one line. */
function summaryOf(rule) {
  switch (rule.kind) {
    case "words": return someOf(rule.words);
    case "pattern": return rule.pattern;
    case "links": return rule.allowed_domains.length
      ? t("filters.links_but", { domains: someOf(rule.allowed_domains) }) : t("filters.all_links");
    case "rate":
      return t("filters.more_than", { count: rule.messages, duration: formatDuration(rule.window_s) });
    default:
      return t("filters.repeated", { count: rule.times, duration: formatDuration(rule.window_s) });
  }
}

function actionOf(rule) {
  return rule.action === "mute" ? t("filters.mutes_for", { duration: formatDuration(rule.mute_s) })
    : t(`filters.does_${rule.action}`);
}

function RuleRow({ chatId, rule }) {
  const [wanted, setWanted] = useState(null); // while the server is asked
  const toggle = async (isOn) => {
    setWanted(isOn);
    await attempt(() => saveRule(chatId, rule.rule_id, { enabled: isOn }));
    setWanted(null);
  };
  const remove = async () => {
    const question = { title: t("filters.delete_rule_title", { rule: rule.name }), text: t("filters.delete_rule_text"),
      confirm: t("filters.delete"), danger: true };
    if (await confirmDialog(question)) {
      await attempt(() => deleteRule(chatId, rule.rule_id), t("filters.deleted", { rule: rule.name }));
    }
  };
  const isOn = wanted ?? rule.enabled;
  const items = [
    { label: t("filters.edit"), icon: "edit", onSelect: () => openRuleForm(chatId, rule) },
    { label: t("filters.rehearse"), icon: "play", onSelect: () => openRehearsal(chatId, rule) },
    "-",
    { label: t("filters.delete"), icon: "trash", danger: true, onSelect: remove },
  ];
  return html`
    <li class=${`filters-rule ${isOn ? "" : "filters-rule-off"}`}>
      <button type="button" class="row filters-rule-words" aria-label=${t("filters.edit_of", { rule: rule.name })}
        onClick=${() => openRuleForm(chatId, rule)}>
        <span class="row-words">
          <span class="row-title">${rule.name}</span>
          <span class="row-text"><b>${t(`filters.kind_${rule.kind}`)}:</b> ${summaryOf(rule)}</span>
          <span class="filters-rule-tags">
            <${Tag} tone=${TONES[rule.action]}>${actionOf(rule)}<//>
            ${rule.exempt_managers && html`<${Tag}>${t("filters.not_managers")}<//>`}
          </span>
        </span>
      </button>
      <${Switch} label="" aria-label=${t("filters.enabled_of", { rule: rule.name })} checked=${isOn}
        disabled=${wanted !== null} onChange=${toggle} />
      <${Menu} label=${t("filters.actions_of", { rule: rule.name })} items=${items} />
    </li>
  `;
}

/**
 * @param {{chat: object}} props
 */
export function Rules({ chat }) {
  const chatId = chat.chat_id;
  useEffect(() => { loadRules(chatId); }, [chatId]);
  const { items, error } = rulesOf(chatId);
  const add = async () => {
    if (await openRuleForm(chatId, null)) showToast(t("filters.saved"), { kind: "success" });
  };
  if (!items) {
    return error ? html`
      <div class="filters-note">
        <${Notice} kind="error">${error.message}<//>
        <${Button} icon="refresh" onClick=${() => loadRules(chatId)}>${t("filters.retry")}<//>
      </div>` : html`<${Skeleton} rows=${2} />`;
  }
  if (!items.length) {
    return html`
      <${EmptyState} icon="shield" title=${t("filters.no_rules")} text=${t("filters.no_rules_text")}>
        <${Button} variant="primary" icon="plus" onClick=${add}>${t("filters.new_rule")}<//>
      <//>
    `;
  }
  return html`
    <ul class="filters-rules">
      ${items.map((rule) => html`<${RuleRow} key=${rule.rule_id} chatId=${chatId} rule=${rule} />`)}
    </ul>
    <div class="filters-note">
      <${Button} icon="plus" disabled=${items.length >= RULES_MAX_COUNT} onClick=${add}>${t("filters.new_rule")}<//>
    </div>
  `;
}
