import { html, useEffect, useLayoutEffect, useRef, useState } from "../html.js";
import { formatList, t } from "../i18n.js";
import { changeProfile } from "../store/profile.js";
import { deleteAccount } from "../store/sign_in.js";
import { chats, me } from "../store/state.js";
import { showToast } from "../toasts.js";
import { Button, confirmDialog, Field, Icon, Notice } from "../ui/index.js";
import { attempt, useAction } from "../people/action.js";
import { countCharacters } from "../people/character_count.js";

/** As the server has them: domain/rules.py. */
const PASSWORD_MIN_CHARACTERS = 6;
const PASSWORD_MAX_CHARACTERS = 256;
/** More groups than this are counted, not named, before they are deleted. */
const NAMED_GROUPS_MAX = 5;

/** Which refusals of PATCH /user stand beside which field. The order counts: "Old password" is no "password". */
const FIELDS = {
  oldPassword: /^old password|too many failed/i,
  newPassword: /password/i,
  email: /email/i,
  phone: /phone/i,
};

/** Something of the account as it is at present, with the form that changes it, which is shown when it is wanted. */
function Changeable({ icon, title, present, form: Form }) {
  const [isOpen, setOpen] = useState(false);
  const button = useRef(null);
  const wasOpen = useRef(false);
  useEffect(() => {
    if (wasOpen.current && !isOpen) {
      button.current.focus();
    }
    wasOpen.current = isOpen;
  }, [isOpen]);
  return html`
    <section class="card settings-card">
      <div class="settings-line">
        <${Icon} name=${icon} />
        <div class="settings-line-words"><h3>${title}</h3><p class="muted truncate">${present}</p></div>
        ${!isOpen && html`
          <${Button} buttonRef=${button} onClick=${() => setOpen(true)}
            aria-label=${`${t("settings.change")}: ${title}`}>
            ${t("settings.change")}
          <//>
        `}
      </div>
      ${isOpen && html`<${Form} close=${() => setOpen(false)} />`}
    </section>
  `;
}

/**
 * A form whose change needs the password.
 *
 * @param {object} props
 * @param {(bind: Function) => any} props.children the fields of the change, with `bind` of useAction
 * @param {object} props.changes for changeProfile, without the password
 * @param {() => object} [props.check] as of useAction
 * @param {string} props.success said when it is done
 * @param {() => void} props.close
 */
function ProtectedForm({ children, changes, check = () => ({}), success, close }) {
  const [oldPassword, setOldPassword] = useState("");
  const change = () => changeProfile({ ...changes, old_password: oldPassword });
  const { start, isBusy, errors, bind, ref } = useAction(change, {
    check: () => ({ ...check(), oldPassword: !oldPassword && t("settings.old_password_missing") }),
    fields: FIELDS,
  });
  useLayoutEffect(() => ref.current.querySelector(".field-input").focus(), []);
  const submit = async (event) => {
    event.preventDefault();
    if (await start()) {
      showToast(success, { kind: "success" });
      close();
    }
  };
  const onKeyDown = (event) => {
    if (event.key === "Escape" && !isBusy) {
      event.stopPropagation();
      close();
    }
  };
  return html`
    <form ref=${ref} class="people-form" novalidate onSubmit=${submit} onKeyDown=${onKeyDown}>
      <input class="visually-hidden" type="text" name="username" autocomplete="username" value=${me.value.user_name}
        readonly tabindex="-1" aria-hidden="true" />
      ${children(bind)}
      <${Field} label=${t("settings.old_password")} type="password" name="old_password" value=${oldPassword}
        ...${bind("oldPassword", setOldPassword)} autocomplete="current-password" />
      ${errors.form && html`<${Notice} kind="error">${errors.form}<//>`}
      <div class="form-buttons">
        <${Button} onClick=${close} disabled=${isBusy}>${t("common.cancel")}<//>
        <${Button} type="submit" variant="primary" busy=${isBusy}>${t("common.save")}<//>
      </div>
    </form>
  `;
}

function EmailForm({ close }) {
  const [email, setEmail] = useState(me.value.email);
  return html`
    <${ProtectedForm} changes=${{ email: email.trim() }} close=${close}
      success=${t(email.trim() ? "settings.email_changed" : "settings.email_removed")}>
      ${(bind) => html`<${Field} label=${t("settings.new_email")} hint=${t("settings.email_hint")} type="email"
        name="email" value=${email} ...${bind("email", setEmail)} autocomplete="email" />`}
    <//>
  `;
}

function PhoneForm({ close }) {
  const [phone, setPhone] = useState(me.value.phone);
  const digits = phone.replace(/[\s()-]/g, ""); // as people write them
  return html`
    <${ProtectedForm} changes=${{ phone: digits }} close=${close}
      success=${t(digits ? "settings.phone_changed" : "settings.phone_removed")}>
      ${(bind) => html`<${Field} label=${t("settings.new_phone")} hint=${t("settings.phone_hint")} type="tel"
        name="phone" value=${phone} ...${bind("phone", setPhone)} autocomplete="tel-national" />`}
    <//>
  `;
}

function PasswordForm({ close }) {
  const [password, setPassword] = useState("");
  const length = countCharacters(password);
  const check = () => ({
    newPassword:
      (length < PASSWORD_MIN_CHARACTERS && t("errors.password_too_short", { count: PASSWORD_MIN_CHARACTERS })) ||
      (length > PASSWORD_MAX_CHARACTERS && t("errors.password_too_long", { count: PASSWORD_MAX_CHARACTERS })) ||
      (password.includes(" ") && t("errors.password_with_spaces")),
  });
  return html`
    <${ProtectedForm} changes=${{ new_password: password }} check=${check} close=${close}
      success=${t("settings.password_changed")}>
      ${(bind) => html`<${Field} label=${t("settings.new_password")} hint=${t("settings.password_hint")}
        type="password" name="new_password" value=${password} ...${bind("newPassword", setPassword)}
        autocomplete="new-password" />`}
    <//>
  `;
}

/** The groups that go with the account. */
function ownedGroupsText() {
  const names = [...chats.value.values()]
    .filter((chat) => !chat.is_private && chat.owner_id === me.value.id)
    .map((chat) => chat.chat_name);
  if (!names.length) {
    return "";
  }
  const named = names.slice(0, NAMED_GROUPS_MAX);
  const rest = names.length - named.length;
  const list = formatList(rest ? [...named, t("settings.delete_more_groups", { count: rest })] : named);
  return t("settings.delete_groups", { count: names.length, groups: list });
}

async function confirmDeleteAccount() {
  const isSure = await confirmDialog({
    title: t("settings.delete_title"),
    text: [t("settings.delete_text"), ownedGroupsText(), t("settings.delete_final")].filter(Boolean).join("\n\n"),
    confirm: t("settings.delete_confirm"),
    danger: true,
    requireText: me.value.user_name,
  });
  if (isSure) {
    await attempt(deleteAccount);
  }
}

/** What only the user sees of the account, and its end. */
export function AccountSettings() {
  const { email, phone } = me.value;
  return html`
    <${Changeable} icon="mail" title=${t("profile.email")} present=${email || t("settings.not_set")}
      form=${EmailForm} />
    <${Changeable} icon="phone" title=${t("profile.phone")} present=${phone || t("settings.not_set")}
      form=${PhoneForm} />
    <${Changeable} icon="lock" title=${t("settings.password")} present="••••••••" form=${PasswordForm} />
    <section class="card settings-card danger-card">
      <div class="settings-line">
        <${Icon} name="trash" />
        <div class="settings-line-words">
          <h3>${t("settings.delete_account")}</h3><p class="muted">${t("settings.delete_hint")}</p>
        </div>
        <${Button} variant="danger" onClick=${confirmDeleteAccount}>${t("settings.delete_button")}<//>
      </div>
    </section>
  `;
}
