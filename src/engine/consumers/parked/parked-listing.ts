// Pages of parked events with the events themselves, from what is stored, whoever runs the consumer.

import type { ConsumerKey } from '../../../domain/consumers/consumer.js';
import { storageUnavailable } from '../../../domain/errors.js';
import { entryBytes } from '../../../domain/events/entry-size.js';
import type { LogEntry } from '../../../domain/events/event.js';
import type { ConsumerStore } from '../../../storage/ports/consumer-storage.js';
import type { ParkedRecord, ParkedSelection, ParkedStore } from '../../../storage/ports/parked-storage.js';
import type { Position } from '../../../units.js';
import type { LogSource } from '../../log/log-source.js';
import { isShown } from '../../log/named-position.js';
import { consumerUnknown } from '../ownership/consumer-errors.js';

/** Events that are read at a time, payloads included. */
const READ_TOGETHER = 32;
/** Bytes of a page's events, about. */
const PAGE_BYTES = 3 * 1024 * 1024;

export interface ParkedEntry extends ParkedRecord {
  /** Undefined: the event is not stored any more. */
  readonly entry: LogEntry | undefined;
}

export interface ParkedListingOptions {
  readonly store: Pick<ConsumerStore, 'find'>;
  readonly parked: Pick<ParkedStore, 'list'>;
  readonly source: LogSource;
}

export class ParkedListing {
  readonly #options: ParkedListingOptions;

  constructor(options: ParkedListingOptions) {
    this.#options = options;
  }

  /** A page in position order, and the position to go on after if something follows. CONSUMER_UNKNOWN. */
  async page(
    key: ConsumerKey,
    selection: ParkedSelection,
    { after, limit, signal }: { readonly after: Position; readonly limit: number; readonly signal?: AbortSignal },
  ): Promise<{ readonly items: readonly ParkedEntry[]; readonly next: Position | undefined }> {
    const { store, parked } = this.#options;
    const consumer = await store.find(key);
    if (consumer === undefined) throw consumerUnknown(key);
    const consumerId = consumer.id;
    const { records, next } = await parked.list({ ...selection, consumerId, withReplaying: true, after, limit });
    await this.#assertShown(records.at(-1)?.position ?? 0, signal);
    const items = await this.#withEntries(records);
    return { items, next: items.length < records.length ? items.at(-1)?.position : next };
  }

  /** Waits for what another instance has parked, and this one may not show yet. */
  async #assertShown(position: Position, signal: AbortSignal | undefined): Promise<void> {
    if (!(await isShown(this.#options.source, position, signal)))
      throw storageUnavailable(`position ${position} cannot be shown yet`);
  }

  /** The records with their events, as many as make a page. */
  async #withEntries(records: readonly ParkedRecord[]): Promise<readonly ParkedEntry[]> {
    const items: ParkedEntry[] = [];
    let bytes = 0;
    for (let from = 0; from < records.length && bytes < PAGE_BYTES; from += READ_TOGETHER) {
      const some = records.slice(from, from + READ_TOGETHER);
      const read = await this.#options.source.readAt(some.map(({ position }) => position));
      const entries = new Map(read.map((entry) => [entry.position, entry]));
      for (const record of some) {
        const entry = entries.get(record.position);
        bytes += entry === undefined ? 0 : entryBytes(entry);
        if (bytes > PAGE_BYTES && items.length > 0) return items;
        items.push({ ...record, entry });
      }
    }
    return items;
  }
}
