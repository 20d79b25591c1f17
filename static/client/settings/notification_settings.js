import { html, useState } from "../html.js";
import { t } from "../i18n.js";
import { noticePermission, setNotices, wantsNotices } from "../store/notices.js";
import { Notice, Switch } from "../ui/index.js";

/** What stands in the way of notifications, and what can be done about it; null if nothing does. */
function obstacle(permission) {
  if (!window.isSecureContext) {
    return t("settings.notices_insecure");
  }
  return { unsupported: t("settings.notices_unsupported"), denied: t("settings.notices_denied") }[permission] ?? null;
}

/** Desktop notifications; the browser is asked for its permission only when they are turned on. */
export function NotificationSettings() {
  const [isAsking, setAsking] = useState(false);
  const permission = noticePermission.value;
  const inTheWay = obstacle(permission);
  const change = async (isOn) => {
    setAsking(true);
    await setNotices(isOn);
    setAsking(false);
  };
  return html`
    <div class="card settings-card">
      <${Switch} label=${t("settings.notices")} hint=${t("settings.notices_hint")} onChange=${change}
        checked=${isAsking || (wantsNotices.value && permission === "granted")}
        disabled=${isAsking || inTheWay !== null} />
      ${isAsking && permission === "default" && html`<${Notice}>${t("settings.notices_asking")}<//>`}
      ${inTheWay && html`<${Notice} kind="warning">${inTheWay}<//>`}
    </div>
  `;
}
