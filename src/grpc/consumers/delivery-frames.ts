// Encodes the responses that carry deliveries: the events' own bytes are spliced in, encoded once for every consumer. The field
// numbers are those of proto/madeleine/v1/consumer_service.proto; a test decodes the results with the generated code.

import { Gap } from '../../../generated/madeleine/v1/event_service.js';
import type { Delivery } from '../../domain/consumers/delivery-types.js';
import { entryBytes, namesLength } from '../../domain/events/entry-size.js';
import type { LogEntry } from '../../domain/events/event.js';
import type { DeliveryBatch } from '../../engine/consumers/pending-deliveries.js';
import { type Clock, WallTime } from '../../lib/clock.js';
import type { Position } from '../../units.js';
import { timeField, type WireEventEncoder } from '../events/event-encoder.js';
import { gapToWire } from '../events/gap-wire.js';
import type { PayloadForm } from '../wire/payload-form.js';
import { WireWriter } from '../wire/wire-writer.js';

/** Characters of names beyond which they count: a thousand events of a Fetch may be this much longer than measured. */
const SHORT_NAMES = 256;

export class DeliveryFrames {
  readonly #encoder: WireEventEncoder;
  readonly #wallTime: WallTime;
  readonly #writer = new WireWriter();

  constructor(encoder: WireEventEncoder, clock: Clock) {
    this.#encoder = encoder;
    this.#wallTime = new WallTime(clock);
  }

  /** Bytes of an entry in a frame, to within a few short names. Where they cannot be told without encoding it, it is encoded. */
  measure(entry: LogEntry, form: PayloadForm): number {
    if (form === 'bytes' && entry.rest === undefined && namesLength(entry) <= SHORT_NAMES) return entryBytes(entry);
    return this.#encoder.encode(entry, form).byteLength;
  }

  /** Encodes a SubscribeResponse with deliveries. */
  deliveries(batch: DeliveryBatch, form: PayloadForm): Uint8Array {
    this.#writer.reset();
    this.#deliveryFields(batch, form);
    return this.#writer.finish();
  }

  /** Encodes a FetchResponse. `filter`: the encoded EventFilter to echo; undefined: none. */
  fetched(
    batch: DeliveryBatch,
    {
      offset,
      head,
      filter,
    }: { readonly offset: Position; readonly head: Position; readonly filter?: Uint8Array | undefined },
    form: PayloadForm,
  ): Uint8Array {
    this.#writer.reset();
    for (const gap of batch.gaps?.toReversed() ?? []) this.#writer.messageField(5, Gap.encode(gapToWire(gap)).finish());
    if (filter !== undefined) this.#writer.messageField(4, filter);
    this.#writer.numberField(3, head);
    this.#writer.numberField(2, offset);
    this.#deliveryFields(batch, form);
    return this.#writer.finish();
  }

  /** Writes the deliveries, which are field 1 of both messages. */
  #deliveryFields({ entries, deliveries }: DeliveryBatch, form: PayloadForm): void {
    const w = this.#writer;
    const { aheadMs } = this.#wallTime;
    for (let index = deliveries.length - 1; index >= 0; index -= 1) {
      const mark = w.mark;
      const delivery = deliveries[index] as Delivery;
      if (delivery.replay) w.numberField(5, 1);
      if (delivery.deadlineMs !== undefined) timeField(w, 4, Math.round(delivery.deadlineMs + aheadMs) * 1000);
      w.numberField(3, delivery.attempt);
      w.splitField(2, delivery.lease, delivery.leaseCheck);
      const event = w.mark;
      this.#encoder.write(w, entries[index] as LogEntry, form);
      w.close(1, event);
      w.close(1, mark);
    }
  }
}
