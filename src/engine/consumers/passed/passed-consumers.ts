// Which consumers have passed events: what they get of them is acknowledged, skipped or parked. Answered from what is stored, on every
// instance, and for consumers that are run here by the offset that they have now.

import { type ConsumerKey, consumerCriteria } from '../../../domain/consumers/consumer.js';
import { storedRanges } from '../../../domain/consumers/position-ranges.js';
import { entryBytes } from '../../../domain/events/entry-size.js';
import type { LogEntry } from '../../../domain/events/event.js';
import { compileCriteria, needsWithdrawn } from '../../../domain/events/event-filter.js';
import type { LoopSlices } from '../../../lib/loop-slices.js';
import type { ConsumerRecord, ConsumerStore } from '../../../storage/ports/consumer-storage.js';
import type { Position } from '../../../units.js';

/** Consumers that are looked at for one question. */
export const MAX_LOOKED_AT = 1_000;
/** Names that are told of one event. */
export const MAX_TOLD = 100;
/** Consumers whose acknowledged ranges are in memory together. */
const CHUNK = 100;
/** What it costs to look at an event for a consumer, in bytes of rows that are looked at. */
const LOOK_BYTES = 512;

/** Consumers that have passed an event. */
export interface PassedBy {
  readonly consumers: readonly ConsumerKey[];
  /** There may be others. */
  readonly more: boolean;
}

/** Who asks. */
export interface Asking {
  readonly caller: string;
  readonly signal: AbortSignal;
}

export interface PassedConsumersOptions {
  readonly store: Pick<ConsumerStore, 'list' | 'acked'>;
  /** The offset of a consumer that this instance runs; undefined: it does not. */
  readonly offsetOf: (key: ConsumerKey) => Position | undefined;
  /** Shared by all who look at many payloads. */
  readonly slices: LoopSlices;
}

/** What one consumer has passed, and what it gets. */
interface Passing {
  readonly record: ConsumerRecord;
  has(entry: LogEntry): boolean;
  /** Undefined: the entry alone does not tell. */
  gets(entry: LogEntry): boolean | undefined;
}

export class PassedConsumers {
  readonly #options: PassedConsumersOptions;

  constructor(options: PassedConsumersOptions) {
    this.#options = options;
  }

  /** Tells of each entry which consumers of a context, or of `all`, have passed it. */
  async of(context: string, entries: readonly LogEntry[], asking: Asking): Promise<ReadonlyMap<LogEntry, PassedBy>> {
    const found = new Map<LogEntry, ConsumerKey[]>(entries.map((entry) => [entry, []]));
    const unsure = new Set<LogEntry>();
    const records = await this.#options.store.list({ context, withAll: true, limit: MAX_LOOKED_AT + 1 });
    const isCut = records.length > MAX_LOOKED_AT;
    await this.#each(records.slice(0, MAX_LOOKED_AT), entries, asking, (passing, entry) => {
      const gets = passing.has(entry) ? passing.gets(entry) : false;
      if (gets === undefined) unsure.add(entry);
      if (gets) found.get(entry)?.push(passing.record);
    });
    const told = ([entry, consumers]: [LogEntry, ConsumerKey[]]): [LogEntry, PassedBy] => [
      entry,
      { consumers: consumers.slice(0, MAX_TOLD), more: isCut || unsure.has(entry) || consumers.length > MAX_TOLD },
    ];
    return new Map([...found].map(told));
  }

  /** Returns those of the consumers that have passed one of the entries, which are of one event. */
  async among(
    records: readonly ConsumerRecord[],
    entries: readonly LogEntry[],
    asking: Asking,
  ): Promise<readonly ConsumerRecord[]> {
    const passed = new Set<ConsumerRecord>();
    await this.#each(records, entries, asking, (passing, entry) => {
      if (passing.has(entry) && passing.gets(entry)) passed.add(passing.record);
    });
    return records.filter((record) => passed.has(record));
  }

  /** Looks at each entry for each consumer, in slices. */
  async #each(
    records: readonly ConsumerRecord[],
    entries: readonly LogEntry[],
    { caller, signal }: Asking,
    look: (passing: Passing, entry: LogEntry) => void,
  ): Promise<void> {
    if (entries.length === 0) return;
    const { store, slices } = this.#options;
    const payloads = entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
    const bytesOf = (record: ConsumerRecord) => {
      const { description } = consumerCriteria(record, record.settings);
      return entries.length * LOOK_BYTES + (description === undefined ? 0 : payloads);
    };
    for (let from = 0; from < records.length; from += CHUNK) {
      const chunk = records.slice(from, from + CHUNK);
      const acked = await store.acked(chunk.map(({ id }) => id));
      const lookAt = (record: ConsumerRecord) => {
        const passing = this.#passing(record, acked.get(record.id));
        for (const entry of entries) look(passing, entry);
        return true;
      };
      await slices.each(caller, { items: chunk, bytesOf, look: lookAt }, signal);
    }
  }

  #passing(record: ConsumerRecord, acked: Uint8Array | undefined): Passing {
    const offset = this.#options.offsetOf(record) ?? record.offset;
    const above = acked === undefined ? undefined : storedRanges(acked);
    const criteria = consumerCriteria(record, record.settings);
    const matches = compileCriteria(criteria);
    return {
      record,
      // What is awaited has no position.
      has: ({ position }) => position > 0 && (position <= offset || above?.has(position) === true),
      gets: (entry) => (needsWithdrawn(criteria, entry) ? undefined : matches(entry)),
    };
  }
}
