/** HTTP requests to the server, and what they fail with. */

import { errorText } from "../i18n.js";

/** After so long without an answer a request counts as failed. */
const TIMEOUT_MS = 30_000;
/** An upload fails after so long without any progress. */
const UPLOAD_STALL_MS = 30_000;
/** The server asks for a pause (429, 503) or cannot be reached: a GET is tried so many times in all. */
const GET_TRIES = 4;
const FIRST_PAUSE_MS = 500;

/** A request that failed. */
export class ApiError extends Error {
  /**
   * @param {number} status of HTTP, the code of an error packet, or 0: the server cannot be reached
   * @param {string} sentence as the server said it
   */
  constructor(status, sentence) {
    super(); // without a text, which would hide the getter below
    this.name = "ApiError";
    this.status = status;
    this.sentence = sentence;
  }

  /** What to show, in the language that is shown. */
  get message() {
    return errorText(this.sentence);
  }
}

/** Whether trying again later may help: the server is busy, cannot be reached, or does not know what came of it. */
export const isPassing = (error) => error instanceof ApiError && [0, 429, 502, 503, 504].includes(error.status);

/** A pause that grows with the tries and differs from client to client, in milliseconds. */
export const pauseMs = (tries, firstMs = FIRST_PAUSE_MS, mostMs = 30_000) =>
  Math.min(mostMs, firstMs * 2 ** tries) * (0.5 + Math.random() / 2);

/** A promise that resolves after some milliseconds. */
export const later = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

let onSessionLost = () => {};

/** Let the store know when a request is refused for want of a session. */
export function whenSessionLost(listener) {
  onSessionLost = listener;
}

/** The one sentence of 403 that means "no session"; the others mean "not allowed". */
const NO_SESSION = "Invalid Session";

function dataOf(status, text) {
  let answer = null;
  try {
    answer = JSON.parse(text);
  } catch {
    // not from Nova, but from something in front of it
  }
  if (answer?.ok === true) return answer.data;
  const isNova = answer?.ok === false;
  if (isNova && status === 403 && answer.error === NO_SESSION) onSessionLost();
  throw new ApiError(isNova || status >= 400 ? status : 0, isNova ? answer.error : "unreachable");
}

async function tryRequest(method, path, body) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), TIMEOUT_MS);
  const options = { method, signal: stop.signal, credentials: "same-origin", cache: "no-store" };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers = { "Content-Type": "application/json" };
  }
  let status, text;
  try {
    const response = await fetch(path, options);
    status = response.status;
    text = await response.text();
  } catch {
    throw new ApiError(0, stop.signal.aborted ? "timeout" : "unreachable");
  } finally {
    clearTimeout(timer);
  }
  return dataOf(status, text);
}

/**
 * Ask the server. A GET that meets a busy server is repeated after pauses; nothing else is.
 * @param {string} method
 * @param {string} path such as "/friend/find"
 * @param {*} [body] sent as JSON; none if undefined
 * @returns {Promise<*>} the `data` of the answer
 * @throws {ApiError}
 */
export async function request(method, path, body) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await tryRequest(method, path, body);
    } catch (error) {
      const isBusy = [429, 503].includes(error.status);
      if (method !== "GET" || !isBusy || tries + 1 >= GET_TRIES) throw error;
      await later(pauseMs(tries));
    }
  }
}

/**
 * Send a file as the form field `file`.
 * @param {string} path such as "/files"
 * @param {Blob} file
 * @param {string} name of the file
 * @param {(share: number) => void} [onProgress] told 0 to 1
 * @param {AbortSignal} [signal] to give it up
 * @returns {Promise<*>} the `data` of the answer
 * @throws {ApiError} status 0 if it broke off; a DOMException named AbortError if it was given up
 */
export function upload(path, file, name, onProgress = () => {}, signal = undefined) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const form = new FormData();
    form.append("file", file, name);
    const sending = new XMLHttpRequest(); // fetch cannot tell how far an upload has come
    let stall;
    const watch = () => {
      clearTimeout(stall);
      stall = setTimeout(() => sending.abort(), UPLOAD_STALL_MS);
    };
    const giveUp = () => sending.abort();
    const end = (settle, value) => {
      clearTimeout(stall);
      signal?.removeEventListener("abort", giveUp);
      settle(value);
    };
    sending.upload.onprogress = (event) => {
      watch();
      if (event.total) onProgress(event.loaded / event.total);
    };
    sending.onload = () => {
      try {
        end(resolve, dataOf(sending.status, sending.responseText));
      } catch (error) {
        end(reject, error);
      }
    };
    sending.onerror = () => end(reject, new ApiError(0, "unreachable"));
    sending.onabort = () =>
      end(reject, signal?.aborted ? new DOMException("", "AbortError") : new ApiError(0, "timeout"));
    signal?.addEventListener("abort", giveUp);
    sending.open("POST", path);
    sending.send(form);
    watch();
  });
}
