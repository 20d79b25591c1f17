/** The page for who is not signed in: one card to sign in, or to make an account. */

import { html, useEffect, useRef, useState } from "./html.js";
import { language, languages, setLanguage, t } from "./i18n.js";
import { useAction } from "./people/action.js";
import { theme } from "./preferences.js";
import { register, signIn } from "./store/sign_in.js";
import { session } from "./store/state.js";
import { Button, Choice, Field, Menu, Notice } from "./ui/index.js";

const LOGO_URL = new URL("../icons/icon.svg", import.meta.url).href;

/** As the server has them: domain/rules.py. */
const USER_NAME_MAX_CHARACTERS = 32;
const USER_NAME = /^[a-zA-Z0-9_()@.-]+$/;
const PASSWORD_MIN_CHARACTERS = 6;
const PASSWORD_MAX_CHARACTERS = 256;

const REASONS = {
  ended_elsewhere: { kind: "warning", key: "sign_in.ended_elsewhere" },
  account_deleted: { kind: "info", key: "sign_in.account_deleted" },
  signed_out: { kind: "success", key: "sign_in.signed_out" },
};

/** Which refusals stand beside which field; "Invalid username or password" is about the second one. */
const FIELDS = { password: /password/i, name: /^username/i };

/** What is wrong with a name and a password before the server is asked. */
function findErrors(name, password, isNew) {
  const errors = {};
  if (!name) {
    errors.name = t("sign_in.name_missing");
  } else if (isNew && !USER_NAME.test(name)) {
    errors.name = t("sign_in.name_signs");
  }
  if (!password) {
    errors.password = t("sign_in.password_missing");
  } else if (isNew && [...password].length < PASSWORD_MIN_CHARACTERS) {
    errors.password = t("sign_in.password_short");
  } else if (isNew && password.includes(" ")) {
    errors.password = t("sign_in.password_space");
  }
  return errors;
}

function SignInForm({ isNew, name, setName }) {
  const [password, setPassword] = useState("");
  const nameField = useRef(null);
  const passwordField = useRef(null);
  const { start, isBusy, errors, ref } = useAction(() => (isNew ? register : signIn)(name.trim(), password), {
    fields: FIELDS,
    check: () => findErrors(name.trim(), password, isNew),
  });
  useEffect(() => (name ? passwordField : nameField).current.focus(), []);
  const submit = (event) => {
    event.preventDefault();
    start();
  };
  return html`
    <form ref=${ref} class="sign-in-form" novalidate onSubmit=${submit} aria-busy=${isBusy ? "true" : undefined}>
      <${Field} label=${t(isNew ? "sign_in.user_name" : "sign_in.user_name_or_email")} name="username" value=${name}
        onInput=${setName} error=${errors.name} hint=${isNew ? t("sign_in.name_rules") : undefined}
        inputRef=${nameField} autocomplete="username" autocapitalize="off" spellcheck=${false} required
        maxLength=${isNew ? USER_NAME_MAX_CHARACTERS : undefined} />
      <${Field} label=${t("sign_in.password")} type="password" name="password" value=${password} onInput=${setPassword}
        error=${errors.password} hint=${isNew ? t("sign_in.password_rules") : undefined} inputRef=${passwordField}
        autocomplete=${isNew ? "new-password" : "current-password"} required maxLength=${PASSWORD_MAX_CHARACTERS} />
      ${errors.form && html`<${Notice} kind="error">${errors.form}<//>`}
      <${Button} type="submit" variant="primary" busy=${isBusy} class="sign-in-submit">
        ${t(isNew ? "sign_in.register" : "sign_in.sign_in")}
      <//>
    </form>
  `;
}

/** The page of somebody who is not signed in. */
export function SignIn() {
  const [isNew, setNew] = useState(false);
  const [name, setName] = useState("");
  const reason = REASONS[session.value.reason];
  return html`
    <div class="sign-in">
      <header class="sign-in-header"><${Looks} /></header>
      <main class="sign-in-main">
        <div class="sign-in-brand"><img src=${LOGO_URL} alt="" width="44" height="44" />Nova</div>
        <div class="sign-in-card">
          <h1>${t(isNew ? "sign_in.title_register" : "sign_in.title")}</h1>
          <p class="sign-in-lead">${t(isNew ? "sign_in.lead_register" : "sign_in.lead")}</p>
          ${reason && !isNew && html`<${Notice} kind=${reason.kind}>${t(reason.key)}<//>`}
          <${SignInForm} key=${isNew} isNew=${isNew} name=${name} setName=${setName} />
          <p class="sign-in-other">
            ${t(isNew ? "sign_in.have_account" : "sign_in.no_account")}${" "}
            <button type="button" class="link-button" onClick=${() => setNew(!isNew)}>
              ${t(isNew ? "sign_in.sign_in" : "sign_in.register")}
            </button>
          </p>
        </div>
      </main>
    </div>
  `;
}

/** Theme and language, for pages that have no settings. */
export function Looks() {
  const current = languages.find(({ code }) => code === language.value);
  const themes = [
    { value: "system", label: t("settings.theme_system"), icon: "monitor" },
    { value: "light", label: t("settings.theme_light"), icon: "sun" },
    { value: "dark", label: t("settings.theme_dark"), icon: "moon" },
  ];
  return html`
    <${Menu} label=${t("settings.language")}
      button=${(props) => html`
        <${Button} ...${props} variant="ghost" icon="globe" class="looks-language">
          <span class="visually-hidden">${t("settings.language")}: </span>${current.name}
        <//>
      `}
      items=${languages.map(({ code, name }) => ({
        label: name,
        checked: code === language.value,
        onSelect: () => setLanguage(code),
      }))} />
    <${Choice} label=${t("settings.theme")} hideLabel iconsOnly value=${theme.value} options=${themes}
      onChange=${(value) => (theme.value = value)} />
  `;
}
