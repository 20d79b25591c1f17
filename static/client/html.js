/** What every component is made with: htm bound to preact, the hooks and the signals. */

import htm from "htm";
import { Fragment, h, render } from "preact";

export {
  useCallback, useEffect, useId, useLayoutEffect, useMemo, useReducer, useRef, useState,
} from "preact/hooks";
export {
  batch, computed, effect, signal, untracked, useComputed, useSignal, useSignalEffect,
} from "@preact/signals";
export { Fragment, h, render };

/** Template tag: html`<p class="x">${text}</p>` → a vnode. Values are text, never markup. */
export const html = htm.bind(h);
