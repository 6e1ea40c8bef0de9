// The port by which the engine's callers get an entry in the form of the wire, once for everyone: grpc/event-encoder.ts
// implements it, the engine itself never looks inside.

import type { LogEntry } from '../domain/event.js';

/** How JSON payloads are encoded: as a Value, or as their bytes. */
export type PayloadForm = 'json' | 'bytes';

export interface EventEncoder {
  /** The encoded `Event` message; remembered in the entry, so that the second reader of an entry pays nothing. */
  encode(entry: LogEntry, form: PayloadForm): Uint8Array;
}
