// Encodes parked events: the events' own bytes are spliced in. The field numbers are those of
// proto/madeleine/v1/consumer_service.proto; a test decodes the results with the generated code.

import type { ParkedEntry } from '../../engine/consumers/parked/parked-listing.js';
import { timeField, type WireEventEncoder } from '../events/event-encoder.js';
import type { PayloadForm } from '../wire/payload-form.js';
import { WireWriter } from '../wire/wire-writer.js';

/** The field `position` of an Event. */
const EVENT_POSITION = 2;

export class ParkedFrames {
  readonly #encoder: WireEventEncoder;
  readonly #writer = new WireWriter();

  constructor(encoder: WireEventEncoder) {
    this.#encoder = encoder;
  }

  /** Encodes a ParkedEvent. */
  parked({ entry, ...parked }: ParkedEntry, form: PayloadForm): Uint8Array {
    const w = this.#writer;
    w.reset();
    w.numberField(7, parked.replaying ? 1 : 0);
    if (parked.parkedAt !== undefined) timeField(w, 6, parked.parkedAt);
    w.stringField(5, parked.reason);
    w.stringField(4, parked.code);
    w.numberField(3, parked.losses);
    w.numberField(2, parked.attempts);
    const mark = w.mark;
    if (entry === undefined) w.numberField(EVENT_POSITION, parked.position);
    else this.#encoder.write(w, entry, form);
    w.close(1, mark);
    return w.finish();
  }

  /** Encodes a ListParkedEventsResponse of encoded ParkedEvents. */
  page(encoded: readonly Uint8Array[], nextPageToken: string): Uint8Array {
    const w = this.#writer;
    w.reset();
    w.stringField(2, nextPageToken);
    for (const bytes of encoded.toReversed()) {
      const mark = w.mark;
      w.raw(bytes);
      w.close(1, mark);
    }
    return w.finish();
  }
}
