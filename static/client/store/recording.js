/**
 * Packets that are applied while an HTTP answer is under way. The answer may be older than they are, so they are
 * applied to it again when it comes. That changes nothing where it knew of them already.
 */

const running = new Set();

/**
 * Begin to write down what is applied.
 * @returns {{packets: object[], stop: () => void}}
 */
export function record() {
  const packets = [];
  running.add(packets);
  return { packets, stop: () => running.delete(packets) };
}

/** A packet is being applied. */
export function noteForRecordings(packet) {
  for (const packets of running) packets.push(packet);
}
