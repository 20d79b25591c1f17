/** Copying. */

import { t } from "../i18n.js";
import { showToast } from "../ui/index.js";

/** For pages that came without https, which have no clipboard of their own. */
function copyBySelection(text) {
  const field = document.createElement("textarea");
  const before = document.activeElement;
  field.value = text;
  field.className = "visually-hidden";
  document.body.append(field);
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  before?.focus({ preventScroll: true });
  return isCopied;
}

/**
 * Copy a text, and tell of it if it fails.
 * @param {string} text
 * @param {string} [success] told if it does not
 * @returns {Promise<boolean>} whether it is copied
 */
export async function copyText(text, success) {
  let isCopied = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    isCopied = copyBySelection(text);
  }
  if (!isCopied) showToast(t("common.not_copied"), { kind: "error" });
  else if (success) showToast(success, { kind: "success" });
  return isCopied;
}
