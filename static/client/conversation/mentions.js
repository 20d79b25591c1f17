/** Names in texts: `@name`, as the server finds it, with nothing of a name around it. */

const MENTION = /(?<![\w@-])@([\w()@.-]+)/g;
/** What may end a name as well as a phrase. */
const LAST_SIGN = /[.)(@-]$/;

/** The longest known name that a word begins with, if what is behind it ends a phrase; else "". */
function knownName(word, names) {
  let name = word;
  while (!names.has(name.toLowerCase()) && LAST_SIGN.test(name)) name = name.slice(0, -1);
  return names.has(name.toLowerCase()) ? name : "";
}

/**
 * Mark the mentions of members: each becomes a `<span class="mention">`, one's own also `mention-own`.
 * @param {DocumentFragment} fragment is changed
 * @param {Set<string>} names of those who can be meant, in small letters
 * @param {string} ownName
 */
export function markMentions(fragment, names, ownName) {
  const walker = document.createTreeWalker(fragment, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (node.data.includes("@") && !node.parentElement?.closest("a, code")) texts.push(node);
  }
  for (const node of texts) {
    const pieces = [];
    let end = 0;
    for (const { 1: word, index } of node.data.matchAll(MENTION)) {
      const name = knownName(word, names);
      if (!name) continue;
      const mention = document.createElement("span");
      mention.className = name.toLowerCase() === ownName.toLowerCase() ? "mention mention-own" : "mention";
      mention.textContent = `@${name}`;
      pieces.push(node.data.slice(end, index), mention);
      end = index + 1 + name.length;
    }
    if (pieces.length) node.replaceWith(...pieces, node.data.slice(end));
  }
}
