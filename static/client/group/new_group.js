import { html, useState } from "../html.js";
import { t } from "../i18n.js";
import { navigate } from "../route.js";
import { createChat } from "../store/chats.js";
import { friends } from "../store/state.js";
import { Button, Dialog, Field, Notice, openDialog } from "../ui/index.js";
import { useAction } from "../people/action.js";
import { CharacterCount, countCharacters } from "../people/character_count.js";
import { CHAT_NAME_MAX_CHARACTERS } from "./group_actions.js";
import { MemberPicker } from "./member_picker.js";

function NewGroup({ close }) {
  const [name, setName] = useState("");
  const [picked, setPicked] = useState([]);
  const trimmed = name.trim();
  const create = async () => {
    const chatId = await createChat(trimmed, picked.filter((id) => friends.value.has(id)));
    close();
    navigate(`#/chats/${chatId}`);
  };
  const { start, isBusy, errors, bind, ref } = useAction(create, {
    check: () => ({
      name: !trimmed
        ? t("errors.chat_name_empty")
        : countCharacters(trimmed) > CHAT_NAME_MAX_CHARACTERS &&
          t("errors.name_longer", { count: CHAT_NAME_MAX_CHARACTERS }),
    }),
    fields: { name: /chat name/i },
  });
  const footer = html`
    <${Button} onClick=${close}>${t("common.cancel")}<//>
    <${Button} type="submit" variant="primary" busy=${isBusy}>
      ${picked.length ? t("members.create_with", { count: picked.length + 1 }) : t("members.create")}
    <//>
  `;
  return html`
    <${Dialog} title=${t("chats.new_group")} footer=${footer} onClose=${close} onSubmit=${start}>
      <div ref=${ref} class="people-form">
        <div>
          <${Field} label=${t("members.group_name")} value=${name} ...${bind("name", setName)}
            autocomplete="off" data-autofocus />
          ${countCharacters(name) > CHAT_NAME_MAX_CHARACTERS / 2 &&
          html`<${CharacterCount} text=${trimmed} max=${CHAT_NAME_MAX_CHARACTERS} />`}
        </div>
        ${friends.value.size
          ? html`<${MemberPicker} picked=${picked} onChange=${setPicked} />`
          : html`<${Notice}>${t("members.no_friends")}<//>`}
        ${errors.form && html`<${Notice} kind="error">${errors.form}<//>`}
      </div>
    <//>
  `;
}

/**
 * Open the dialog that makes a group of friends; the new chat opens after it.
 *
 * @returns {Promise<void>} resolves when it is closed
 */
export function openNewGroup() {
  return openDialog((close) => html`<${NewGroup} close=${() => close()} />`);
}
