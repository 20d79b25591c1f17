import { html, useState } from "../html.js";
import { t } from "../i18n.js";
import { signOut } from "../store/sign_in.js";
import { Icon, Spinner } from "../ui/index.js";
import { attempt } from "../people/action.js";

/** Signs out in this browser. */
export function SignOutRow() {
  const [isBusy, setBusy] = useState(false);
  const leave = async () => {
    if (isBusy) {
      return;
    }
    setBusy(true);
    await attempt(signOut);
    setBusy(false);
  };
  return html`
    <button type="button" class="row danger-row" aria-busy=${isBusy ? "true" : undefined}
      onClick=${leave}>
      ${isBusy ? html`<${Spinner} />` : html`<${Icon} name="log-out" />`}
      <span class="row-words">${t("settings.sign_out")}</span>
    </button>
  `;
}
