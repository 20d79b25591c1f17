/** Who must be silent in a group, and letting them speak again. */

import {
  attempt, Avatar, Button, confirmDialog, EmptyState, formatDate, html, keepFocus, Notice, request, Skeleton, state, t,
  useEffect, useState,
} from "nova";
import { formatDuration } from "./durations.js";

/** Nobody is told of a new mute, so the list is asked for again and again while it is in sight. */
const RELOAD_MS = 15_000;
const TICK_MS = 1_000;

const now_s = () => Date.now() / 1000;

function MuteRow({ mute, nowS, isBusy, onLift }) {
  const name = state.displayName(mute.user.id);
  return html`
    <li class="row filters-mute">
      <${Avatar} userId=${mute.user.id} size=${36} />
      <div class="row-words">
        <div class="row-title">${name}</div>
        <div class="row-text" title=${formatDate(mute.until)}>
          ${t("filters.time_left", { duration: formatDuration(mute.until - nowS) })}</div>
        <div class="row-text">${t("filters.broke_rule", { rule: mute.rule_name })}</div>
      </div>
      <div class="row-actions">
        <${Button} size="s" busy=${isBusy} aria-label=${t("filters.unmute_name", { name })} onClick=${onLift}>
          ${t("filters.unmute")}<//>
      </div>
    </li>
  `;
}

/**
 * @param {{chat: object}} props
 */
export function Mutes({ chat }) {
  const path = `/chat/${chat.chat_id}/mutes`;
  const [mutes, setMutes] = useState(null);
  const [error, setError] = useState(null);
  const [busyId, setBusyId] = useState(null);
  const [nowS, setNowS] = useState(now_s);

  const load = async () => {
    try {
      const loaded = await request("GET", path);
      loaded.forEach(({ user }) => state.rememberUser(user));
      setMutes(loaded);
      setError(null);
    } catch (failure) {
      setError(failure);
    }
  };
  useEffect(() => {
    load();
    const reload = setInterval(() => document.hidden || load(), RELOAD_MS);
    const tick = setInterval(() => setNowS(now_s()), TICK_MS);
    return () => [reload, tick].forEach(clearInterval);
  }, [path]);

  const lift = async (mute, button) => {
    const focusNext = keepFocus(button);
    setBusyId(mute.user.id);
    const name = state.displayName(mute.user.id);
    await attempt(() => request("DELETE", `${path}/${mute.user.id}`), t("filters.unmuted", { name }));
    setBusyId(null);
    await load();
    focusNext();
  };
  const liftAll = async () => {
    const question = { title: t("filters.unmute_all_title"), text: t("filters.unmute_all_text"),
      confirm: t("filters.unmute_all") };
    if (!(await confirmDialog(question))) return;
    await attempt(() => request("DELETE", path), t("filters.unmuted_all"));
    await load();
  };

  if (!mutes && error) {
    return html`
      <div class="filters-note">
        <${Notice} kind="error">${error.message}<//>
        <${Button} icon="refresh" onClick=${load}>${t("filters.retry")}<//>
      </div>
    `;
  }
  if (!mutes) return html`<${Skeleton} rows=${2} />`;
  const lasting = mutes.filter((mute) => mute.until > nowS);
  if (!lasting.length) {
    return html`<${EmptyState} icon="volume" title=${t("filters.nobody_muted")}
      text=${t("filters.nobody_muted_text")} />`;
  }
  return html`
    <ul>
      ${lasting.map((mute) => html`
        <${MuteRow} key=${mute.user.id} mute=${mute} nowS=${nowS} isBusy=${busyId === mute.user.id}
          onLift=${(event) => lift(mute, event.currentTarget)} />
      `)}
    </ul>
    ${lasting.length > 1 && html`
      <div class="filters-note"><${Button} icon="volume" onClick=${liftAll}>${t("filters.unmute_all")}<//></div>`}
  `;
}
