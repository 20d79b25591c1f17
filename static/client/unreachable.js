/** The page for when the server does not answer at the start. */

import { html, useEffect, useState } from "./html.js";
import { t } from "./i18n.js";
import { Looks } from "./sign_in.js";
import { later } from "./store/requests.js";
import { checkSession } from "./store/sign_in.js";
import { Button, EmptyState } from "./ui/index.js";

/** A refusal comes at once; a button that does not seem to have noticed the press would be pressed again and again. */
const SHOWN_BUSY_MS = 700;

/** The store tries again by itself; this page says so and offers to try at once. */
export function Unreachable() {
  const [isBusy, setBusy] = useState(false);
  const [isOffline, setOffline] = useState(!navigator.onLine);
  useEffect(() => {
    const update = () => setOffline(!navigator.onLine);
    addEventListener("online", update);
    addEventListener("offline", update);
    return () => {
      removeEventListener("online", update);
      removeEventListener("offline", update);
    };
  }, []);
  const trouble = isOffline ? "offline" : "unreachable";
  const retry = async () => {
    setBusy(true);
    await Promise.all([checkSession(), later(SHOWN_BUSY_MS)]);
    setBusy(false);
  };
  return html`
    <div class="sign-in">
      <header class="sign-in-header"><${Looks} /></header>
      <main class="sign-in-main" aria-live="polite">
        <${EmptyState} icon="wifi-off" title=${t(`connection.${trouble}_title`)}
          text=${t(`connection.${trouble}_text`)}>
          <${Button} variant="primary" icon="refresh" busy=${isBusy} onClick=${retry}>${t("connection.try_now")}<//>
        <//>
      </main>
    </div>
  `;
}
