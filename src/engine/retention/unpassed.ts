// What durable consumers have not passed of events that are due.

import { ConsumerClaims } from '../../domain/consumers/unread/consumer-claims.js';
import { entryBytes } from '../../domain/events/entry-size.js';
import type { LogEntry } from '../../domain/events/event.js';
import type { LoopSlices } from '../../lib/loop-slices.js';
import type { EventLog } from '../../storage/ports/log-storage.js';
import type { ConsumerBehind, DueEntry, RetentionStore } from '../../storage/ports/retention-storage.js';
import type { Position } from '../../units.js';

/** The events of a consumer that it has not passed, among some. */
export interface Unpassed {
  readonly consumer: ConsumerBehind;
  /** Ascending; at least one. */
  readonly positions: readonly Position[];
}

export interface UnpassedOptions {
  readonly store: Pick<RetentionStore, 'behind' | 'moves'>;
  readonly log: Pick<EventLog, 'readAt'>;
  /** Shared by all who look at many payloads. */
  readonly slices: LoopSlices;
}

const CALLER = 'retention';

export class UnpassedEvents {
  readonly #options: UnpassedOptions;

  constructor(options: UnpassedOptions) {
    this.#options = options;
  }

  /**
   * What consumers have not passed of the entries, as far as it is stored. Where all have passed them, which is the rule, no entry is read.
   * What they have parked is not among it: that stays for another reason.
   */
  async of(
    topic: { readonly context: string; readonly name: string },
    due: readonly DueEntry[],
  ): Promise<readonly Unpassed[]> {
    const last = due.at(-1);
    if (last === undefined) return [];
    const { store, log, slices } = this.#options;
    const consumers = await store.behind(topic, last.position);
    if (consumers.length === 0) return [];
    const entries = await log.readAt(due.map(({ position }) => position));
    const bytes = entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
    const found: Unpassed[] = [];
    const look = (consumer: ConsumerBehind) => {
      const positions = unpassedBy(consumer, entries);
      if (positions.length > 0) found.push({ consumer, positions });
      return true;
    };
    await slices.each(CALLER, { items: consumers, bytesOf: () => bytes, look });
    return found;
  }

  /** Finds which of the entries a consumer has not passed, and how often consumers had been moved before; undefined: there are no entries. */
  async held(
    topic: { readonly context: string; readonly name: string },
    mayBeHeld: readonly DueEntry[],
  ): Promise<{ readonly moves: number | undefined; readonly positions: ReadonlySet<Position> }> {
    // Asked first: whoever is moved after it is found out.
    const moves = mayBeHeld.length === 0 ? undefined : await this.#options.store.moves();
    const holders = await this.of(topic, mayBeHeld);
    return { moves, positions: new Set(holders.flatMap(({ positions }) => positions)) };
  }
}

function unpassedBy(consumer: ConsumerBehind, entries: readonly LogEntry[]): readonly Position[] {
  const claims = new ConsumerClaims(consumer);
  return entries.filter((entry) => claims.on(entry) !== undefined).map(({ position }) => position);
}
