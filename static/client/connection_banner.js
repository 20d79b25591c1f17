/** The truth about the connection, as long as it is not what one expects. */

import { html, useEffect, useState } from "./html.js";
import { t } from "./i18n.js";
import { retryNow } from "./store/socket.js";
import { connection } from "./store/state.js";
import { Icon, Spinner } from "./ui/index.js";

/** A connection that is back within this time was no trouble worth a word, in ms. */
const QUIET_MS = 700;

function secondsUntil(timeMs) {
  return Math.max(1, Math.ceil((timeMs - Date.now()) / 1000));
}

function Countdown({ untilMs }) {
  const [seconds, setSeconds] = useState(secondsUntil(untilMs));
  useEffect(() => {
    const update = () => setSeconds(secondsUntil(untilMs));
    update();
    const timer = setInterval(update, 1000);
    return () => clearInterval(timer);
  }, [untilMs]);
  return t("connection.next_try", { count: seconds });
}

/**
 * The connection as it is shown: trouble only when it lasts, and no flicker where each try fails at once.
 *
 * @returns {{status: string, retryAtMs: number|null}}
 */
function useCalmConnection() {
  const now = connection.value;
  const [shown, setShown] = useState({ status: "online", retryAtMs: null });
  const isDelayed = now.status === "connecting" || shown.status === "online";
  useEffect(() => {
    const timer = setTimeout(() => setShown(now), isDelayed && now.status !== "online" ? QUIET_MS : 0);
    return () => clearTimeout(timer);
  }, [now, isDelayed]);
  return now.status === "online" ? now : shown;
}

/** Says nothing while the client is online. */
export function ConnectionBanner() {
  const { status, retryAtMs } = useCalmConnection();
  const texts = {
    connecting: t("connection.connecting"),
    waiting: t("connection.waiting"),
    offline: t("connection.offline"),
  };
  return html`
    <div class="connection" role="status">
      ${status !== "online" &&
      html`
        <div class=${`connection-banner connection-${status}`}>
          ${status === "connecting"
            ? html`<${Spinner} size=${18} />`
            : html`<${Icon} name="wifi-off" size=${18} />`}
          <span class="connection-words">
            ${texts[status]}${" "}
            ${status === "waiting" &&
            html`<span class="connection-countdown" aria-hidden="true"><${Countdown} untilMs=${retryAtMs} /></span>`}
          </span>
          ${status === "waiting" &&
          html`<button type="button" class="connection-retry" onClick=${retryNow}>${t("connection.try_now")}</button>`}
        </div>
      `}
    </div>
  `;
}
