import { signal } from "../html.js";

const phone = matchMedia("(max-width: 759.98px)");

/** Whether one pane is shown at a time, as the style sheets have it. */
export const isPhone = signal(phone.matches);

phone.addEventListener("change", () => (isPhone.value = phone.matches));
