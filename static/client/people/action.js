/** What is asked of the server by a form or a button: once at a time, its refusal shown where it belongs. */

import { useEffect, useRef, useState } from "../html.js";
import { ApiError } from "../store/requests.js";
import { showToast } from "../toasts.js";

const IDLE = { isBusy: false, errors: {} };

const textOf = (error) => (typeof error === "string" ? error : error.message);

/**
 * A form's way to the server. Give `ref` to the element around its fields: the first wrong one gets the focus.
 *
 * @param {(...values: any[]) => Promise<any>} run asks the server
 * @param {object} [options]
 * @param {Object<string, RegExp>} [options.fields] which of the server's sentences stand beside which field; the others
 *   are the error of the field "form"
 * @param {() => Object<string, string|false|null|undefined>} [options.check] what is wrong before anybody is asked:
 *   texts by field
 * @returns {{start: (...values: any[]) => Promise<boolean>, isBusy: boolean, errors: Object<string, string>,
 *   bind: (field: string, onInput: (text: string) => void) => object, reset: () => void, ref: {current: Element|null}}}
 *   `start` does nothing while it is busy; true: it is done. `bind` gives a Field its error, which goes with the next
 *   letter
 */
export function useAction(run, { fields = {}, check = () => ({}) } = {}) {
  const [state, setState] = useState(IDLE);
  const isRunning = useRef(false); // the state comes with the next rendering; a second Enter may be faster
  const ref = useRef(null);
  const [refused, setRefused] = useState(0);
  useEffect(() => ref.current?.querySelector("[aria-invalid=true]")?.focus(), [refused]);

  const start = async (...values) => {
    if (isRunning.current) {
      return false;
    }
    const wrong = Object.entries(check()).filter(([, text]) => text);
    if (wrong.length) {
      setState({ isBusy: false, errors: Object.fromEntries(wrong) });
      setRefused((count) => count + 1);
      return false;
    }
    isRunning.current = true;
    setState({ isBusy: true, errors: {} });
    try {
      await run(...values);
      setState(IDLE);
      return true;
    } catch (error) {
      const isRefusal = error instanceof ApiError;
      const field = isRefusal && Object.keys(fields).find((name) => fields[name].test(error.sentence));
      // Errors are kept, not their texts: these follow the language.
      setState({ isBusy: false, errors: isRefusal ? { [field || "form"]: error } : {} });
      setRefused((count) => count + 1);
      if (!isRefusal) {
        throw error;
      }
      return false;
    } finally {
      isRunning.current = false;
    }
  };
  const errors = Object.fromEntries(Object.entries(state.errors).map(([field, error]) => [field, textOf(error)]));
  const forget = (field) =>
    setState(({ isBusy, errors: { [field]: _gone, ...others } }) => ({ isBusy, errors: others }));
  const bind = (field, onInput) => ({
    error: errors[field],
    onInput: (text) => {
      onInput(text);
      if (errors[field]) {
        forget(field);
      }
    },
  });
  return { start, isBusy: state.isBusy, errors, bind, reset: () => setState(IDLE), ref };
}

/**
 * Ask the server where there is no form: what came of it is told by a toast.
 *
 * @param {() => Promise<any>} run
 * @param {string|(() => string)} [success] said when it is done
 * @returns {Promise<boolean>} whether it is done
 */
export async function attempt(run, success) {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof ApiError)) {
      throw error;
    }
    showToast(error.message, { kind: "error" });
    return false;
  }
  if (success) {
    showToast(typeof success === "function" ? success() : success, { kind: "success" });
  }
  return true;
}
