import { html, useState } from "../html.js";
import { t } from "../i18n.js";
import { showToast } from "../toasts.js";
import { Button, Dialog, Field, Notice, openDialog } from "../ui/index.js";
import { useAction } from "./action.js";
import { countCharacters } from "./character_count.js";

function NameDialog({ title, text, label, hint, value, maxCharacters, isRequired, confirm, save, success, close }) {
  const [name, setName] = useState(value);
  const trimmed = name.trim();
  const check = () => ({
    name: isRequired && !trimmed
      ? t("errors.name_missing")
      : countCharacters(trimmed) > maxCharacters && t("errors.name_longer", { count: maxCharacters }),
  });
  // Whatever the server has against it, there is only one field that it can be about.
  const { start, isBusy, errors, bind, ref } = useAction(save, { check, fields: { name: /name/i } });
  const submit = async () => {
    const isSame = trimmed === value && (trimmed || !isRequired);
    if (isSame) {
      close();
    } else if (await start(trimmed)) {
      close();
      if (success) {
        showToast(success, { kind: "success" });
      }
    }
  };
  const footer = html`
    <${Button} onClick=${() => close()}>${t("common.cancel")}<//>
    <${Button} type="submit" variant="primary" busy=${isBusy}>${confirm}<//>
  `;
  return html`
    <${Dialog} title=${title} size="s" footer=${footer} onClose=${() => close()} onSubmit=${submit}>
      <div ref=${ref} class="people-form">
        ${text && html`<p class="dialog-text">${text}</p>`}
        <${Field} label=${label} hint=${hint} value=${name} ...${bind("name", setName)} autocomplete="off"
          onFocus=${(event) => event.currentTarget.select()} />
        ${errors.form && html`<${Notice} kind="error">${errors.form}<//>`}
      </div>
    <//>
  `;
}

/**
 * Ask for a name and give it: the dialog stays until the server has taken it.
 *
 * @param {object} question
 * @param {string} question.title
 * @param {string} question.label
 * @param {string} [question.text] what it is about
 * @param {string} [question.hint] below the field
 * @param {string} [question.value] the name at present
 * @param {number} question.maxCharacters
 * @param {boolean} [question.isRequired] the empty name is none
 * @param {string} [question.confirm] the words of the button
 * @param {(name: string) => Promise<any>} question.save without blanks around it; not called for the present name
 * @param {string} [question.success] said when it is done
 * @returns {Promise<void>} resolves when the dialog is closed
 */
export function openNameDialog({ value = "", isRequired = true, confirm = t("common.save"), ...question }) {
  return openDialog((close) => html`
    <${NameDialog} ...${question} value=${value} isRequired=${isRequired} confirm=${confirm} close=${close} />
  `);
}
