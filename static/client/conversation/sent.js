/** The files that this page sends, so that pictures are there before they have arrived. */

/** Files are kept for so many messages. */
const FILES_MAX_MESSAGES = 20;

const filesOf = new Map(); // client_message_id → File[]; the oldest first

/**
 * Remember the files of a message that is being sent.
 * @param {string} id its client_message_id
 * @param {File[]} files
 */
export function rememberFiles(id, files) {
  filesOf.set(id, files);
  if (filesOf.size > FILES_MAX_MESSAGES) filesOf.delete(filesOf.keys().next().value);
}

/**
 * The files of a message that is being sent, as this computer has them; [] after a reload.
 * @param {string} id its client_message_id
 * @returns {File[]}
 */
export const sentFiles = (id) => filesOf.get(id) ?? [];
