// Encodes the responses that carry events: their own bytes are spliced in. What the generated code makes of a payload is another
// one: it loses members named `__proto__`.

import {
  type Cawin,
  CheckOrWaitResponse,
  ExplainWaitResponse,
  NearMiss,
} from '../../../generated/madeleine/v1/cawin_service.js';
import { Outcome } from '../../../generated/madeleine/v1/event_service.js';
import type { LogEntry } from '../../domain/events/event.js';
import type { WireEventEncoder } from '../events/event-encoder.js';
import type { PayloadForm } from '../wire/payload-form.js';
import { WireWriter } from '../wire/wire-writer.js';

/** The field `event` of CheckOrWaitResponse, as a tag. */
const CHECKED_EVENT = (2 << 3) | 2;
/** The field `event` of ExplainWaitResponse and of NearMiss. */
const EXPLAINED_EVENT = (1 << 3) | 2;
/** The field `near_misses` of ExplainWaitResponse. */
const NEAR_MISS = (2 << 3) | 2;

/** An event that nearly matched, and what is said of it. */
export interface FramedMiss {
  readonly entry: LogEntry;
  readonly said: Omit<NearMiss, 'event'>;
}

export class CawinFrames {
  readonly #encoder: WireEventEncoder;
  readonly #writer = new WireWriter();

  constructor(encoder: WireEventEncoder) {
    this.#encoder = encoder;
  }

  /** Encodes a CheckOrWaitResponse. */
  checked(cawin: Cawin, event: LogEntry, isAwaited: boolean): Uint8Array {
    const outcome = isAwaited ? Outcome.OUTCOME_AWAITED : Outcome.OUTCOME_FOUND;
    const rest = CheckOrWaitResponse.encode({ cawin, event: undefined, outcome });
    return rest.uint32(CHECKED_EVENT).bytes(this.#encoder.encode(event, 'json')).finish();
  }

  /** Encodes an ExplainWaitResponse. */
  explained(event: LogEntry, misses: readonly FramedMiss[], lookedAt: number, form: PayloadForm): Uint8Array {
    const encode = (entry: LogEntry) => this.#encoder.encode(entry, form);
    const response = ExplainWaitResponse.encode({ event: undefined, nearMisses: [], lookedAt });
    response.uint32(EXPLAINED_EVENT).bytes(encode(event));
    // What is erased since it was looked at is no near miss.
    for (const { entry, said } of misses.filter((miss) => this.#encoder.isWhole(miss.entry))) {
      const miss = NearMiss.encode({ ...said, event: undefined })
        .uint32(EXPLAINED_EVENT)
        .bytes(encode(entry));
      response.uint32(NEAR_MISS).bytes(miss.finish());
    }
    return response.finish();
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
