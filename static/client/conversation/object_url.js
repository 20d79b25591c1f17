/** Files of this computer as pictures. */

import { useEffect, useState } from "../html.js";

/**
 * An address of a file that has not been sent, as long as the component is there.
 * @param {File|null} file
 * @returns {string|null}
 */
export function useObjectUrl(file) {
  const [url, setUrl] = useState(null);
  useEffect(() => {
    if (!file) return undefined;
    const made = URL.createObjectURL(file);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [file]);
  return file ? url : null;
}
