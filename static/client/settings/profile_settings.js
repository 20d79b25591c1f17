import { html, useRef, useState } from "../html.js";
import { t } from "../i18n.js";
import { changeProfile, uploadAvatar } from "../store/profile.js";
import { me } from "../store/state.js";
import { showToast } from "../toasts.js";
import { Avatar, Button, Field, Notice } from "../ui/index.js";
import { attempt, useAction } from "../people/action.js";
import { countCharacters } from "../people/character_count.js";
import { AVATAR_TYPES, openAvatarCrop, readPicture } from "./avatar_crop.js";

/** As the server has it: domain/rules.py. */
const USER_NAME_MAX_CHARACTERS = 32;
const USER_NAME = /^[a-zA-Z0-9_()@.-]+$/;

function Picture() {
  const [busy, setBusy] = useState(null);
  const [isTarget, setTarget] = useState(false);
  const chooser = useRef(null);
  const run = async (kind, ask, success) => {
    setBusy(kind);
    await attempt(ask, success);
    setBusy(null);
  };
  const take = async (file) => {
    if (!file || busy) {
      return;
    }
    const picture = await readPicture(file);
    if (!picture) {
      showToast(t("profile.no_picture", { name: file.name }), { kind: "error" });
      return;
    }
    const avatar = await openAvatarCrop(picture);
    picture.close();
    if (avatar) {
      await run("upload", () => uploadAvatar(avatar), t("profile.picture_changed"));
    }
  };
  const onChoose = (event) => {
    const [file] = event.currentTarget.files;
    event.currentTarget.value = ""; // the same file may be chosen again
    take(file);
  };
  const onDragOver = (event) => {
    if (event.dataTransfer.types.includes("Files")) {
      event.preventDefault();
      setTarget(true);
    }
  };
  const onDrop = (event) => {
    event.preventDefault();
    setTarget(false);
    take(event.dataTransfer.files[0]);
  };
  return html`
    <section class=${`card profile-picture ${isTarget ? "profile-picture-target" : ""}`}
      aria-label=${t("profile.picture")} onDragOver=${onDragOver} onDragLeave=${() => setTarget(false)}
      onDrop=${onDrop}>
      <${Avatar} userId=${me.value.id} size=${96} />
      <div class="profile-picture-words">
        <h3>${t("profile.picture")}</h3>
        <p class="field-hint">${t("profile.picture_hint")}</p>
        <div class="form-buttons form-buttons-start">
          <${Button} icon="camera" busy=${busy === "upload"} disabled=${busy === "random"}
            onClick=${() => chooser.current.click()}>${t("profile.choose_picture")}<//>
          <${Button} variant="ghost" icon="refresh" busy=${busy === "random"} disabled=${busy === "upload"}
            onClick=${() => run("random", () => changeProfile({ avatar_url: "" }), t("profile.picture_changed"))}>
            ${t("profile.random_picture")}
          <//>
        </div>
        <input ref=${chooser} type="file" accept=${AVATAR_TYPES} hidden onChange=${onChoose} />
      </div>
    </section>
  `;
}

function Name() {
  const { user_name: present } = me.value;
  const [name, setName] = useState(present);
  const trimmed = name.trim();
  const check = () => ({
    name:
      (!trimmed && t("errors.name_empty")) ||
      (!USER_NAME.test(trimmed) && t("errors.name_invalid")) ||
      (countCharacters(trimmed) > USER_NAME_MAX_CHARACTERS &&
        t("errors.name_too_long", { count: USER_NAME_MAX_CHARACTERS })),
  });
  const { start, isBusy, errors, bind, reset, ref } = useAction(() => changeProfile({ user_name: trimmed }), {
    check,
    fields: { name: /username/i },
  });
  const submit = async (event) => {
    event.preventDefault();
    if (trimmed !== present && (await start())) {
      setName(trimmed);
      showToast(t("profile.name_changed"), { kind: "success" });
    }
  };
  const undo = () => {
    setName(present);
    reset();
  };
  return html`
    <form ref=${ref} class="card settings-card" novalidate onSubmit=${submit}>
      <${Field} label=${t("profile.name")} hint=${t("profile.name_hint")} name="user_name" value=${name}
        ...${bind("name", setName)} autocomplete="off" autocapitalize="off" spellcheck=${false} />
      ${errors.form && html`<${Notice} kind="error">${errors.form}<//>`}
      ${(trimmed !== present || isBusy) && html`
        <div class="form-buttons">
          <${Button} onClick=${undo}>${t("common.cancel")}<//>
          <${Button} type="submit" variant="primary" busy=${isBusy}>${t("common.save")}<//>
        </div>
      `}
    </form>
  `;
}

/** What others see of the signed-in user. */
export function ProfileSettings() {
  return html`<${Picture} /><${Name} />`;
}
