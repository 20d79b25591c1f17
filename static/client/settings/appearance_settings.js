import { html } from "../html.js";
import { language, languages, setLanguage, t } from "../i18n.js";
import { enterSends, theme } from "../preferences.js";
import { showToast } from "../toasts.js";
import { Choice, keyNames } from "../ui/index.js";

async function choose(code) {
  try {
    await setLanguage(code);
  } catch {
    showToast(t("errors.unreachable"), { kind: "error" }); // its texts could not be loaded
  }
}

/** How the client looks and reads; everything holds at once, in this browser. */
export function AppearanceSettings() {
  const themes = [
    { value: "system", label: t("settings.theme_system"), icon: "monitor" },
    { value: "light", label: t("settings.theme_light"), icon: "sun" },
    { value: "dark", label: t("settings.theme_dark"), icon: "moon" },
  ];
  const [control] = keyNames("ctrl");
  const keys = [
    { value: "enter", label: "Enter" },
    { value: "ctrl", label: `${control}+Enter` },
  ];
  return html`
    <div class="card settings-card">
      <${Choice} label=${t("settings.theme")} value=${theme.value} options=${themes}
        onChange=${(value) => (theme.value = value)} />
      <${Choice} label=${t("settings.language")} value=${language.value} onChange=${choose}
        options=${languages.map(({ code, name }) => ({ value: code, label: name }))} />
    </div>
    <div class="card settings-card">
      <${Choice} label=${t("settings.send_with")} value=${enterSends.value ? "enter" : "ctrl"} options=${keys}
        onChange=${(value) => (enterSends.value = value === "enter")} />
      <p class="field-hint">${t(enterSends.value ? "settings.enter_sends" : "settings.ctrl_enter_sends")}</p>
    </div>
  `;
}
