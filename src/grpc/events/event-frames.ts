// Encodes the responses that carry events: the events' own bytes are spliced in, encoded once for everyone.

import { EventError, Gap } from '../../../generated/madeleine/v1/event_service.js';
import type { MadeleineError } from '../../domain/errors.js';
import type { LogEntry } from '../../domain/events/event.js';
import type { PushEffect, PushedEvent } from '../../engine/group/pushes.js';
import type { Next } from '../../engine/log/event-queries.js';
import { messageEnd } from '../wire/pages.js';
import type { PayloadForm } from '../wire/payload-form.js';
import { shortError } from '../wire/short-error.js';
import { STATUS } from '../wire/status.js';
import { WireWriter } from '../wire/wire-writer.js';
import type { WireEventEncoder } from './event-encoder.js';
import { timeField } from './event-encoder.js';
import { type FittedEntry, fitting } from './fitting.js';
import { gapToWire } from './gap-wire.js';
import type { PassedBeside } from './passed-beside.js';

/** The wire's number of each outcome. */
const OUTCOMES = {
  occurred: 1,
  satisfied: 2,
  awaited: 3,
  found: 4,
  duplicate: 5,
  discarded: 6,
} as const satisfies Record<PushEffect, number>;

export class EventFrames {
  readonly #encoder: WireEventEncoder;
  readonly #writer = new WireWriter();

  constructor(encoder: WireEventEncoder) {
    this.#encoder = encoder;
  }

  /** Encodes the Event alone. */
  encoded(entry: LogEntry, form: PayloadForm): Uint8Array {
    return this.#encoder.encode(entry, form);
  }

  /** Encodes a PushEventResponse. */
  pushed(entry: LogEntry, effect: PushEffect, form: PayloadForm): Uint8Array {
    return this.#frame((w) => this.#pushedFields(w, { entry, isShortened: false }, effect, form));
  }

  /** Encodes a PushEventsResponse; what does not fit into an answer is cut. */
  pushedAll(results: readonly { entry: LogEntry; effect: PushEffect; form: PayloadForm }[]): Uint8Array {
    const formOf = (index: number) => results[index]?.form ?? 'json';
    const fitted = fitting(
      results.map(({ entry }) => entry),
      (entry, index) => this.encoded(entry, formOf(index)).byteLength,
    );
    return this.#frame((w) => {
      for (let index = results.length - 1; index >= 0; index -= 1) {
        const mark = w.mark;
        const { effect, form } = results[index] as { effect: PushEffect; form: PayloadForm };
        this.#pushedFields(w, fitted[index] as FittedEntry, effect, form);
        w.close(1, mark);
      }
    });
  }

  /** Encodes a PushEventStreamResponse. `minted`: whether the server minted the message id of the event at that index. */
  batch(batchId: bigint, results: readonly PushedEvent[], minted: (index: number) => boolean): Uint8Array {
    return this.#frame((w) => {
      for (let index = results.length - 1; index >= 0; index -= 1) {
        const mark = w.mark;
        const result = results[index] as PushedEvent;
        if (result.kind === 'refused') writeError(w, result.error);
        else writeReceipt(w, result, minted(index));
        w.close(2, mark);
      }
      if (batchId !== 0n) {
        w.raw(bigVarint(batchId));
        w.tag(1, 0);
      }
    });
  }

  /**
   * The entries in parts that fit into a message each, most often one. Their encoded size counts: envelopes may be long, and a
   * JSON payload as a Value takes several times the bytes of its text. A larger event is alone in its part.
   */
  parts(entries: readonly LogEntry[], form: PayloadForm): (readonly LogEntry[])[] {
    const end = messageEnd(entries, (entry) => this.encoded(entry, form).byteLength);
    if (end === entries.length) return [entries];
    return [entries.slice(0, end), ...this.parts(entries.slice(end), form)];
  }

  /** Encodes a message whose field 1 is the repeated events: a frame of ReadEvents or WatchEvents. */
  events(entries: readonly LogEntry[], form: PayloadForm): Uint8Array {
    return this.#frame((w) => this.#eventFields(w, entries, form));
  }

  /**
   * Encodes a ListEventsResponse. `filter`: the encoded EventFilter to echo; undefined: none. `beside`: the consumers that have passed
   * each event; undefined: they are not asked for.
   */
  listed(
    { items, nextPageToken }: { readonly items: readonly LogEntry[]; readonly nextPageToken: string },
    filter: Uint8Array | undefined,
    form: PayloadForm,
    beside?: Pick<PassedBeside, 'of'>,
  ): Uint8Array {
    return this.#frame((w) => {
      if (beside !== undefined) for (const entry of items.toReversed()) w.messageField(10, beside.of(entry));
      if (filter !== undefined) w.messageField(3, filter);
      w.stringField(2, nextPageToken);
      this.#eventFields(w, items, form);
    });
  }

  /** Encodes a GetEventResponse or InvalidateEventResponse. */
  event(entry: LogEntry, form: PayloadForm): Uint8Array {
    return this.#frame((w) => this.#eventField(w, entry, form));
  }

  /** Encodes a PeekEventResponse. `caughtUp`: there is no such event up to the head. */
  peeked({ entry, scannedTo, caughtUp, gap }: Next, form: PayloadForm): Uint8Array {
    return this.#frame((w) => {
      if (gap !== undefined) w.messageField(4, Gap.encode(gapToWire(gap)).finish());
      w.numberField(3, scannedTo);
      w.numberField(2, caughtUp ? 1 : 0);
      if (entry !== undefined) this.#eventField(w, entry, form);
    });
  }

  #pushedFields(w: WireWriter, { entry, isShortened }: FittedEntry, effect: PushEffect, form: PayloadForm): void {
    if (isShortened) w.numberField(3, 1);
    w.numberField(2, OUTCOMES[effect]);
    if (effect !== 'discarded') this.#eventField(w, entry, form);
  }

  #eventFields(w: WireWriter, entries: readonly LogEntry[], form: PayloadForm): void {
    for (let index = entries.length - 1; index >= 0; index -= 1) this.#eventField(w, entries[index] as LogEntry, form);
  }

  #eventField(w: WireWriter, entry: LogEntry, form: PayloadForm): void {
    const mark = w.mark;
    this.#encoder.write(w, entry, form);
    w.close(1, mark);
  }

  #frame(write: (writer: WireWriter) => void): Uint8Array {
    this.#writer.reset();
    write(this.#writer);
    return this.#writer.finish();
  }
}

function writeReceipt(w: WireWriter, { entry, effect }: PushedEvent & { kind: 'stored' }, minted: boolean): void {
  const mark = w.mark;
  if (effect === 'discarded') {
    w.numberField(4, OUTCOMES[effect]);
    w.close(1, mark);
    return;
  }
  if (minted) w.stringField(6, entry.messageId);
  timeField(w, 5, entry.createdAt);
  w.numberField(4, OUTCOMES[effect]);
  w.numberField(3, entry.sequence);
  w.numberField(2, entry.position);
  w.numberField(1, entry.eventId);
  w.close(1, mark);
}

function writeError(w: WireWriter, error: MadeleineError): void {
  const mark = w.mark;
  const message: EventError = { code: STATUS[error.reason], reason: error.reason, ...shortError(error) };
  w.raw(EventError.encode(message).finish());
  w.close(2, mark);
}

function bigVarint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}
