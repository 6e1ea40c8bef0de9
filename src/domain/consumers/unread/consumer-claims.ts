// What a durable consumer still has to get of events that are to be deleted, decided in one place: what HOLD keeps for it is what EXPIRE
// counts as lost.

import type { Position } from '../../../units.js';
import type { LogEntry } from '../../events/event.js';
import { compileCriteria, type EntryMatcher, type EventCriteria, needsWithdrawn } from '../../events/event-filter.js';
import { type ConsumerKey, type ConsumerSettings, consumerCriteria } from '../consumer.js';
import { storedRanges } from '../position-ranges.js';

/** How far a consumer is, as it is stored. */
export interface StoredPlace {
  readonly offset: Position;
  /** What is done above the offset, in the delivery window's own form; empty: nothing. */
  readonly acked: Uint8Array;
}

/** `parked`: it was set aside for people, who may look at it as long as it is stored. */
export type Claim = 'unpassed' | 'parked';

const NOTHING = new Set<Position>();

/** What a consumer has passed. */
export class PassedPositions {
  readonly #offset: Position;
  readonly #above: { has(position: Position): boolean };

  constructor({ offset, acked }: StoredPlace) {
    this.#offset = offset;
    this.#above = acked.length === 0 ? NOTHING : storedRanges(acked);
  }

  has(position: Position): boolean {
    return position <= this.#offset || this.#above.has(position);
  }
}

export class ConsumerClaims {
  readonly #passed: PassedPositions;
  readonly #parked: ReadonlySet<Position>;
  readonly #criteria: EventCriteria;
  readonly #matches: EntryMatcher;
  readonly #matchesButFor: EntryMatcher;

  /** `parked`: of the positions that are asked for, those that it has parked, or replays. */
  constructor(
    consumer: ConsumerKey & StoredPlace & { readonly settings: ConsumerSettings },
    parked: ReadonlySet<Position> = NOTHING,
  ) {
    this.#passed = new PassedPositions(consumer);
    this.#parked = parked;
    this.#criteria = consumerCriteria(consumer, consumer.settings);
    this.#matches = compileCriteria(this.#criteria);
    const { description: _, ...others } = this.#criteria;
    this.#matchesButFor = compileCriteria(others);
  }

  /** Whether it takes the payloads of entries to tell. */
  get needsPayloads(): boolean {
    return this.#criteria.description !== undefined;
  }

  /** Whether it may have a claim on what is at the position. */
  mayClaim(position: Position): boolean {
    return this.#parked.has(position) || !this.#passed.has(position);
  }

  /** Undefined: it has passed the entry, or never gets it. What is withdrawn may be gone, so that nothing tells whether it is meant: then it is. */
  on(entry: LogEntry): Claim | undefined {
    if (this.#parked.has(entry.position)) return 'parked';
    if (this.#passed.has(entry.position)) return undefined;
    const matches = needsWithdrawn(this.#criteria, entry) ? this.#matchesButFor : this.#matches;
    return matches(entry) ? 'unpassed' : undefined;
  }
}
