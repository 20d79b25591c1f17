/** What a rule would have hit. */

import {
  Avatar, Button, Dialog, formatDate, formatNumber, formatRelative, html, Notice, openDialog, Select, Spinner, state,
  t, useEffect, useState,
} from "nova";
import { rehearse } from "./rules.js";

/** How many of the newest messages can be looked at. */
const MESSAGE_COUNTS = [100, 1_000, 10_000];
const FIRST_COUNT = 1_000;
/** More authors than these are summed up. */
const SHOWN_AUTHORS = 5;

function Authors({ authors }) {
  const rest = authors.slice(SHOWN_AUTHORS);
  return html`
    <ul class="filters-authors">
      ${authors.slice(0, SHOWN_AUTHORS).map(({ user, hit_count: count }) => html`
        <li key=${user.id}>
          <${Avatar} userId=${user.id} size=${20} /><span>${state.displayName(user.id)}</span>
          <b>${formatNumber(count)}</b>
        </li>
      `)}
      ${rest.length > 0 && html`<li>${t("filters.more_authors", { count: rest.length })}</li>`}
    </ul>
  `;
}

function Hit({ hit, chatId, onOpen }) {
  const { message_id: id, sender, send_time: time, snippet } = hit;
  const content = html`
    <span class="filters-result-head">
      <span class="row-title">${state.displayName(sender.id)}</span>
      <time class="muted small" title=${formatDate(time)}>${formatRelative(time)}</time>
    </span>
    <span class="filters-snippet">${snippet || t("filters.only_files")}</span>
  `;
  return html`
    <li>
      ${onOpen
        ? html`<a class="row filters-hit" href=${`#/chats/${chatId}/messages/${id}`} onClick=${onOpen}>
            <span class="row-words">${content}</span></a>`
        : html`<div class="filters-hit">${content}</div>`}
    </li>
  `;
}

function Outcome({ found, chatId, onOpen }) {
  const { looked_at: lookedAt, complete, hit_count: hitCount, authors, hits } = found;
  return html`
    <p role="status" class="filters-outcome">
      <b>${t("filters.would_hit", { count: hitCount })}</b> ${t("filters.looked_at", { count: lookedAt })}
      ${!complete && ` ${t("filters.not_complete")}`}
    </p>
    ${authors.length > 0 && html`<${Authors} authors=${authors} />`}
    ${hits.length > 0 && html`
      <ul class="filters-hits" tabindex="0" aria-label=${t("filters.hits")}>
        ${hits.map((hit) => html`<${Hit} key=${hit.message_id} hit=${hit} chatId=${chatId} onOpen=${onOpen} />`)}
      </ul>
      ${hitCount > hits.length && html`
        <p class="muted small">${t("filters.newest_hits", { count: hits.length })}</p>`}`}
  `;
}

/**
 * Runs a rule over the newest messages of a group, and shows what it would have hit.
 * @param {object} props
 * @param {number} props.chatId
 * @param {number|null} props.ruleId of a stored rule
 * @param {object} [props.rule] one that is not stored
 * @param {() => void} [props.onOpen] makes the hits links to the messages, and is called before one is followed
 */
export function Rehearsal({ chatId, ruleId, rule, onOpen }) {
  const [count, setCount] = useState(FIRST_COUNT);
  const [outcome, setOutcome] = useState(null);
  const [tries, setTries] = useState(0);
  useEffect(() => {
    let isLatest = true;
    setOutcome(null);
    rehearse(chatId, ruleId, rule, count).then(
      (found) => {
        found.authors.forEach(({ user }) => state.rememberUser(user));
        if (isLatest) setOutcome({ found });
      },
      (error) => isLatest && setOutcome({ error }));
    return () => { isLatest = false; };
  }, [chatId, ruleId, rule, count, tries]);
  const options = MESSAGE_COUNTS.map((value) => ({ value, label: t("filters.newest", { count: value }) }));
  return html`
    <div class="filters-rehearsal">
      <${Select} label=${t("filters.look_at")} hideLabel=${true} value=${count} options=${options}
        onChange=${(value) => setCount(Number(value))} />
      ${outcome === null && html`<p class="filters-busy"><${Spinner} size=${16} label=${t("filters.rehearsing")} />
        ${t("filters.rehearsing")}</p>`}
      ${outcome?.error && html`
        <${Notice} kind="error">${outcome.error.message}<//>
        <${Button} icon="refresh" onClick=${() => setTries(tries + 1)}>${t("filters.retry")}<//>`}
      ${outcome?.found && html`<${Outcome} found=${outcome.found} chatId=${chatId} onOpen=${onOpen} />`}
    </div>
  `;
}

/**
 * Show what a stored rule would have hit.
 * @param {number} chatId
 * @param {object} rule
 */
export const openRehearsal = (chatId, rule) => openDialog((close) => html`
  <${Dialog} title=${t("filters.rehearse_of", { rule: rule.name })} onClose=${() => close()}>
    <p class="field-hint">${t("filters.hint_rehearse")}</p>
    <${Rehearsal} chatId=${chatId} ruleId=${rule.rule_id} onOpen=${() => close()} />
  <//>
`);
