/** What the server tells the page at its start. */

/**
 * The settings that stand in the page.
 * @type {{version: string, base_url: string, file_max_bytes: number, has_session: boolean|null,
 *   modules: {plugin: string, entry: string, messages: string|null}[]}} has_session: whether this page was asked for
 *   with a session cookie; null where that is not known
 */
export const config = {
  version: "",
  base_url: location.origin,
  file_max_bytes: 25 * 1024 * 1024,
  has_session: null,
  modules: [],
  ...JSON.parse(document.getElementById("nova-config")?.textContent || "{}"),
};

/**
 * The address of something on this server as this page reaches it: links of files and pictures begin with the server's
 * own base_url, which need not be the address that this page was opened under.
 * @param {string} url
 * @returns {string} relative if it is on this server, else the url as it is
 */
export function localUrl(url) {
  const base = config.base_url.replace(/\/$/, "");
  const isOwn = base && url.startsWith(`${base}/`) && !url.startsWith(`${base}//`); // "//x" would be the host x
  return isOwn ? url.slice(base.length) : url;
}

/**
 * Whether the page may load something (the CSP forbids other hosts).
 * @param {string} url
 * @returns {boolean} true for this server and data: URLs
 */
export function isLocalUrl(url) {
  const local = localUrl(url);
  return /^\/(?!\/)/.test(local) || local.startsWith("data:") || local.startsWith("blob:");
}
