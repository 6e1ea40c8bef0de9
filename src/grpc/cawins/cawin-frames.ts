// Encodes WaitForEventResponse: the event's own bytes are spliced in.

import type { LogEntry } from '../../domain/events/event.js';
import type { WireEventEncoder } from '../events/event-encoder.js';
import type { PayloadForm } from '../wire/payload-form.js';
import { WireWriter } from '../wire/wire-writer.js';

export class CawinFrames {
  readonly #encoder: WireEventEncoder;
  readonly #writer = new WireWriter();

  constructor(encoder: WireEventEncoder) {
    this.#encoder = encoder;
  }

  /** Encodes a WaitForEventResponse. */
  waited(event: LogEntry, ended: boolean, form: PayloadForm): Uint8Array {
    const w = this.#writer;
    w.reset();
    w.numberField(2, ended ? 1 : 0);
    const mark = w.mark;
    w.raw(this.#encoder.encode(event, form));
    w.close(1, mark);
    return w.finish();
  }
}
