/** Messages of emoji alone. */

/** Pictographs, flags, what joins and colours them, blanks. */
const EMOJI_ONLY = /^(?:\p{Extended_Pictographic}|[\p{RI}\u200d\ufe0f\u20e3\u{1f3fb}-\u{1f3ff}]|\s)+$/u;
/** Longer texts are not looked at. An emoji may be of a dozen characters. */
const EMOJI_MAX_LENGTH = 60;
const EMOJI_MAX_COUNT = 3;

/**
 * Whether a text is nothing but one to three emoji, which are shown large.
 * @param {string} text
 */
export function isEmojiOnly(text) {
  if (text.length > EMOJI_MAX_LENGTH || !EMOJI_ONLY.test(text)) return false;
  const signs = [...new Intl.Segmenter().segment(text.replace(/\s/g, ""))];
  return signs.length > 0 && signs.length <= EMOJI_MAX_COUNT;
}
