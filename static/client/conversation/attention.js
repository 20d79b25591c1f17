/** Whether somebody is looking at the page. */

import { signal } from "../html.js";

const isWatched = () => !document.hidden && document.hasFocus();

/** Whether the page is on screen and has the focus. */
export const hasAttention = signal(isWatched());

const look = () => { hasAttention.value = isWatched(); };

addEventListener("focus", look);
addEventListener("blur", look);
document.addEventListener("visibilitychange", look);
