/** Writing a rule, and trying it before it is in force. */

import {
  Button, confirmDialog, Dialog, Field, formatNumber, html, Notice, openDialog, Select, Switch, t, useRef, useState,
} from "nova";
import { DurationField } from "./durations.js";
import { Rehearsal } from "./rehearsal.js";
import {
  actionsOf, draftOf, KINDS, lineCount, NAME_MAX_CHARACTERS, readDraft, REASON_MAX_CHARACTERS, WORDS_MAX_COUNT,
} from "./rule_draft.js";
import { saveRule } from "./rules.js";

/** Of a text area with a word or a domain in each line. */
const LINES_ROWS = 5;

/** Which refusals of the server stand beside which field. */
const FIELD_OF_REFUSAL = { pattern: /\bpatterns?\b/i, words: /\bwords?\b/, allowed_domains: /\bdomain\b/ };

const fieldOf = ({ sentence = "" }) =>
  Object.keys(FIELD_OF_REFUSAL).find((field) => FIELD_OF_REFUSAL[field].test(sentence));

function KindFields({ draft, errors, onChange }) {
  const field = (key, more = {}) => html`
    <${Field} label=${t(`filters.field_${key}`)} value=${draft[key]} error=${errors[key]} autocomplete="off"
      onInput=${(text) => onChange({ [key]: text })} ...${more} />
  `;
  const window = html`
    <${DurationField} label=${t("filters.field_window")} value_s=${draft.window_s} longestUnit="hour"
      error=${errors.window_s} onChange=${(value_s) => onChange({ window_s: value_s })} />
  `;
  switch (draft.kind) {
    case "words":
      return field("words", { rows: LINES_ROWS, spellcheck: false,
        hint: t("filters.hint_words", { count: lineCount(draft.words), most: formatNumber(WORDS_MAX_COUNT) }) });
    case "pattern":
      return field("pattern", { class: "filters-mono", spellcheck: false, autocapitalize: "off",
        hint: t("filters.hint_pattern") });
    case "links":
      return field("allowed_domains", { rows: LINES_ROWS, spellcheck: false, inputMode: "url", autocapitalize: "off",
        hint: t("filters.hint_domains"), placeholder: "example.org" });
    case "rate":
      return html`<div class="filters-pair">${field("messages", { inputMode: "numeric" })}${window}</div>`;
    default:
      return html`<div class="filters-pair">${field("times", { inputMode: "numeric" })}${window}</div>`;
  }
}

function RuleFields({ draft, errors, onChange }) {
  const options = (names, what) => names.map((value) => ({ value, label: t(`filters.${what}_${value}`) }));
  const actions = actionsOf(draft.kind);
  const changeKind = (kind) =>
    onChange({ kind, action: actionsOf(kind).includes(draft.action) ? draft.action : actionsOf(kind).at(-2) });
  return html`
    <${Field} label=${t("filters.field_name")} value=${draft.name} error=${errors.name} autocomplete="off"
      hint=${t("filters.hint_name")} maxLength=${2 * NAME_MAX_CHARACTERS} onInput=${(name) => onChange({ name })} />
    <${Select} label=${t("filters.field_kind")} value=${draft.kind} options=${options(KINDS, "kind")}
      hint=${t(`filters.hint_kind_${draft.kind}`)} onChange=${changeKind} />
    <${KindFields} draft=${draft} errors=${errors} onChange=${onChange} />
    <${Select} label=${t("filters.field_action")} value=${draft.action} options=${options(actions, "action")}
      hint=${t(`filters.hint_action_${draft.action}`)} onChange=${(action) => onChange({ action })} />
    ${draft.action === "mute" && html`
      <${DurationField} label=${t("filters.field_mute")} value_s=${draft.mute_s} longestUnit="day"
        error=${errors.mute_s} onChange=${(value_s) => onChange({ mute_s: value_s })} />`}
    ${draft.action !== "mask" && html`
      <${Field} label=${t("filters.field_reason")} value=${draft.reason} error=${errors.reason} autocomplete="off"
        hint=${t("filters.hint_reason")} maxLength=${2 * REASON_MAX_CHARACTERS}
        onInput=${(reason) => onChange({ reason })} />`}
    <div class="filters-switches">
      <${Switch} label=${t("filters.field_exempt")} checked=${draft.exempt_managers}
        onChange=${(isOn) => onChange({ exempt_managers: isOn })} />
      <${Switch} label=${t("filters.field_enabled")} hint=${t("filters.hint_enabled")} checked=${draft.enabled}
        onChange=${(isOn) => onChange({ enabled: isOn })} />
    </div>
  `;
}

function RuleForm({ chatId, rule, close }) {
  const [first] = useState(() => draftOf(rule));
  const [draft, setDraft] = useState(first);
  const [isChecked, setChecked] = useState(false); // what is wrong shows once one tries to go on
  const [isBusy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState(null);
  const [tried, setTried] = useState(null);
  const form = useRef(null);
  const { rule: read, errors } = readDraft(draft);
  const refusedField = refusal && fieldOf(refusal);
  const shownErrors = { ...(isChecked ? errors : {}), ...(refusedField ? { [refusedField]: refusal.message } : {}) };
  const change = (values) => {
    setDraft({ ...draft, ...values });
    setRefusal(null);
    setTried(null);
  };
  const showWrong = () =>
    requestAnimationFrame(() => {
      form.current?.querySelector("[aria-invalid=true]")?.focus();
      form.current?.querySelector(".notice-error")?.scrollIntoView({ block: "nearest" });
    });
  const isWrong = (wrong) => {
    if (!wrong.length) return false;
    setChecked(true);
    showWrong();
    return true;
  };
  const save = async () => {
    if (isBusy || isWrong(Object.keys(errors))) return;
    setBusy(true);
    try {
      await saveRule(chatId, rule?.rule_id ?? null, read);
      close(true);
    } catch (error) {
      setRefusal(error);
      setBusy(false);
      showWrong();
    }
  };
  // A rule can be tried before it has a name, which the server wants nevertheless.
  const tryOut = () => isWrong(Object.keys(errors).filter((key) => key !== "name"))
    || setTried({ ...read, name: errors.name ? draft.kind : read.name });
  const leave = async () => {
    const question = { title: t("filters.discard_title"), text: t("filters.discard_text"),
      confirm: t("filters.discard"), danger: true };
    if (JSON.stringify(draft) === JSON.stringify(first) || await confirmDialog(question)) close(false);
  };
  const footer = html`
    <${Button} onClick=${leave}>${t("filters.cancel")}<//>
    <${Button} type="submit" variant="primary" busy=${isBusy}>${t("filters.save")}<//>
  `;
  return html`
    <${Dialog} title=${t(rule ? "filters.edit_rule" : "filters.new_rule")} class="filters-form" footer=${footer}
      onClose=${leave} onSubmit=${save}>
      <div ref=${form} class="filters-fields">
        <${RuleFields} draft=${draft} errors=${shownErrors} onChange=${change} />
        <section class="filters-try">
          <h3>${t("filters.rehearse")}</h3>
          <p class="field-hint">${t("filters.hint_rehearse")}</p>
          ${tried ? html`<${Rehearsal} chatId=${chatId} ruleId=${null} rule=${tried} />`
            : html`<${Button} icon="play" onClick=${tryOut}>${t("filters.rehearse_now")}<//>`}
        </section>
        ${refusal && !refusedField && html`<${Notice} kind="error">${refusal.message}<//>`}
      </div>
    <//>
  `;
}

/**
 * Let the user write a rule.
 * @param {number} chatId
 * @param {object|null} rule null: a new one
 * @returns {Promise<boolean>} whether it was saved
 */
export const openRuleForm = (chatId, rule) =>
  openDialog((close) => html`<${RuleForm} chatId=${chatId} rule=${rule} close=${close} />`);
