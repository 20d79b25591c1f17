/** Files on their way to the server, two at a time. An upload that breaks off begins again. */

import { isPassing, later, pauseMs, upload } from "./requests.js";
import { connection } from "./state.js";

const MAX_AT_ONCE = 2;
/** So many times an upload is tried while the server answers; without a connection it waits. */
const MAX_TRIES = 6;

let running = 0;
const waiting = [];

/**
 * Upload a file as soon as it is its turn.
 * @param {File} file
 * @param {(share: number) => void} onProgress told 0 to 1; goes back where it begins again
 * @param {AbortSignal} signal to give it up
 * @returns {Promise<object>} File, as the server has it
 * @throws {import("./requests.js").ApiError} it was refused; a DOMException named AbortError if it was given up
 */
export async function uploadFile(file, onProgress, signal) {
  if (running >= MAX_AT_ONCE) await new Promise((resolve) => { waiting.push(resolve); });
  else running += 1;
  try {
    return await tryUpload(file, onProgress, signal);
  } finally {
    const next = waiting.shift(); // which takes over this one's place
    if (next) next();
    else running -= 1;
  }
}

async function tryUpload(file, onProgress, signal) {
  for (let tries = 1; ; tries += 1) {
    await whenConnected(signal);
    try {
      return await upload("/files", file, file.name || "file", onProgress, signal);
    } catch (error) {
      if (!isPassing(error) || tries >= MAX_TRIES) throw error;
      onProgress(0);
      await later(pauseMs(tries));
    }
  }
}

function whenConnected(signal) {
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    let stop = null;
    const check = ({ status }) => {
      if (status !== "online") return;
      resolve();
      stop?.();
    };
    stop = connection.subscribe(check);
    if (connection.peek().status === "online") stop();
    signal.addEventListener("abort", () => {
      stop();
      reject(signal.reason);
    }, { once: true });
  });
}
