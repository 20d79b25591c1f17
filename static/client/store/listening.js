/** Whether packets come in, for who must wait for it. catch_up.js tells. */

function gate() {
  const made = { isOpen: false };
  made.promise = new Promise((resolve) => {
    made.open = () => {
      made.isOpen = true;
      resolve();
    };
  });
  return made;
}

let listening = gate();
let upToDate = gate();

/** Resolves when packets come in: from then on no answer of the server misses anything that they do not tell. */
export const whenListening = () => listening.promise;

/** Resolves when, besides, all that was missed before is known. */
export const whenUpToDate = () => upToDate.promise;

/** Packets come in. */
export const noteListening = () => listening.open();

/** Everything is up to date. */
export const noteUpToDate = () => upToDate.open();

/** Packets come in no longer. */
export function noteDeaf() {
  if (listening.isOpen) listening = gate(); // who waits at a closed one goes on waiting there
  if (upToDate.isOpen) upToDate = gate();
}
