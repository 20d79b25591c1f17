import { html } from "../html.js";
import { t } from "../i18n.js";
import { config } from "../config.js";
import { openShortcuts } from "../shortcuts.js";
import { Button, LinkButton } from "../ui/index.js";

/** What this is, and where to read more. */
export function AboutSettings() {
  return html`
    <div class="card settings-card">
      <dl class="about-facts">
        <div><dt>${t("settings.server")}</dt><dd>${location.host}</dd></div>
        <div><dt>${t("settings.version")}</dt><dd><code>${config.version}</code></dd></div>
      </dl>
      <div class="form-buttons form-buttons-start">
        <${Button} icon="keyboard" onClick=${openShortcuts}>${t("shortcuts.title")}<//>
        <${LinkButton} icon="external" href="/about" target="_blank" rel="noopener">${t("settings.about_link")}<//>
      </div>
    </div>
  `;
}
