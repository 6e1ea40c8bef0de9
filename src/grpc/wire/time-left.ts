// How long a call may still take, for those that answer with what they have before it is over. The server writes it into the metadata of
// such calls: the library lets nobody else know the deadline.

import type { Millis } from '../../units.js';

export const TIME_LEFT_KEY = 'madeleine-time-left';

/** How long before its deadline a call has to answer, so that its caller gets that. */
const ANSWER_MS: Millis = 500;

/** How long a call may work: until half a second before its deadline, or half of a shorter time. Undefined: it has none. */
export function workingMs(metadata: { get(key: string): string | Uint8Array | undefined }): Millis | undefined {
  const text = metadata.get(TIME_LEFT_KEY);
  if (text === undefined) return undefined;
  const leftMs = Number(text);
  return leftMs - Math.min(ANSWER_MS, leftMs / 2);
}
