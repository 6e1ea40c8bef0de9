// Stored pages of the log that a consumer is going to need, read while earlier ones are delivered. How much it holds follows the
// consumer's credit: one that takes little at a time holds little.

import type { MemberCredit } from '../../domain/consumers/delivery-types.js';
import { entryBytes } from '../../domain/events/entry-size.js';
import type { Position } from '../../units.js';
import type { ReadBatch } from '../log/log-source.js';

/** Events of one read: what the members may have in flight, within these bounds. */
const PAGE_EVENTS = { least: 128, most: 1_024 };
/** Bytes of one read, about, within these bounds. */
const PAGE_BYTES = { least: 256 * 1024, most: 2 * 1024 * 1024 };
/** The credit that makes reads small, for those who may have to let go of what they read. */
const NO_CREDIT: MemberCredit = { maxInFlight: 0, maxInFlightBytes: 0 };
/** Pages besides the one that is delivered. With one alone the consumer waits whenever the database takes longer than usual. */
const MAX_PAGES = 2;

/** Bytes that all consumers of an instance hold of stored pages. Past it nobody reads ahead, and whoever has to wait lets go of its page: it is read again. */
export const MAX_HELD_BYTES = 64 * 1024 * 1024;

/** Stored pages in memory that were read and not delivered yet, of all consumers together. */
export class HeldPages {
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get isFull(): boolean {
    return this.#bytes > MAX_HELD_BYTES;
  }

  /** Counts bytes that are held, or with a minus no longer. */
  count(bytes: number): void {
    this.#bytes += bytes;
  }
}

/** Bytes of a page that are nobody else's: what is in the tail is counted there. */
export function ownBytes({ entries }: ReadBatch): number {
  let bytes = 0;
  for (const entry of entries) if (entry.keeper === undefined) bytes += entryBytes(entry);
  return bytes;
}

export interface ReadAheadOptions {
  /** The next matching events after a position: at once from memory, else from the database. */
  readonly read: (options: {
    readonly after: Position;
    readonly limit: number;
    readonly maxBytes: number;
  }) => Promise<ReadBatch> | ReadBatch;
  /** The position up to which everything may be read. */
  readonly visible: () => Position;
  /** What the members may have in flight, all together. */
  readonly credit: () => MemberCredit;
  /** What all consumers hold. */
  readonly held: HeldPages;
}

interface PageAhead {
  readonly after: Position;
  readonly batch: Promise<ReadBatch>;
  /** What it holds; 0 while it is not there yet. */
  bytes: number;
}

export class ReadAhead {
  readonly #options: ReadAheadOptions;
  /** Each begins where the one before it ends. */
  #pages: PageAhead[] = [];
  /** The newest read, in `#pages` or taken already. */
  #newest: Promise<ReadBatch> | undefined;

  constructor(options: ReadAheadOptions) {
    this.#options = options;
  }

  /** The page after a position: what is in memory at once. Rejects as the read did. */
  take(after: Position): Promise<ReadBatch> | ReadBatch {
    const page = this.#pages[0];
    if (page?.after === after) {
      this.#pages.shift();
      this.#options.held.count(-page.bytes);
      this.#readOn();
      return page.batch;
    }
    this.clear();
    const batch = this.#read(after);
    if (batch instanceof Promise) this.#began(batch);
    return batch;
  }

  /** Forgets what was read: the consumer goes on elsewhere, or selects otherwise. */
  clear(): void {
    for (const { bytes } of this.#pages) this.#options.held.count(-bytes);
    this.#pages = [];
    this.#newest = undefined;
  }

  #add(page: PageAhead): void {
    this.#pages.push(page);
    page.batch.then(
      (batch) => {
        if (!this.#pages.includes(page)) return;
        page.bytes = ownBytes(batch);
        this.#options.held.count(page.bytes);
      },
      () => {},
    );
    this.#began(page.batch);
  }

  #began(batch: Promise<ReadBatch>): void {
    this.#newest = batch;
    // Whoever takes it sees the failure; if nobody does, nobody needs to.
    batch.then(
      () => this.#readOn(),
      () => {},
    );
  }

  /** Reads what follows the newest page, if there is room for it. */
  #readOn(): void {
    const newest = this.#newest;
    const room = this.#options.credit().maxInFlight >= MAX_PAGES * PAGE_EVENTS.most ? MAX_PAGES : 1;
    if (newest === undefined || this.#pages.length >= room || this.#options.held.isFull) return;
    newest.then(
      ({ scannedTo }) => {
        if (this.#newest !== newest || scannedTo >= this.#options.visible()) return;
        const batch = this.#read(scannedTo);
        // What is in memory now will be so then, or is read then.
        if (!(batch instanceof Promise)) return;
        this.#add({ after: scannedTo, batch, bytes: 0 });
      },
      () => {},
    );
  }

  #read(after: Position): Promise<ReadBatch> | ReadBatch {
    const { held, credit } = this.#options;
    const { maxInFlight, maxInFlightBytes } = held.isFull ? NO_CREDIT : credit();
    const limit = within(PAGE_EVENTS, maxInFlight);
    return this.#options.read({ after, limit, maxBytes: within(PAGE_BYTES, maxInFlightBytes) });
  }
}

function within({ least, most }: { readonly least: number; readonly most: number }, wanted: number): number {
  return Math.min(most, Math.max(least, wanted));
}
