// Stored pages of the log that a consumer is going to need, read while earlier ones are delivered. How much it holds follows the
// consumer's credit: one that takes little at a time holds little.

import type { MemberCredit } from '../../domain/consumers/delivery-types.js';
import type { Position } from '../../units.js';
import type { ReadBatch } from '../log/log-source.js';

/** Events of one read: what the members may have in flight, within these bounds. */
const PAGE_EVENTS = { least: 128, most: 1_024 };
/** Bytes of one read, about, within these bounds. */
const PAGE_BYTES = { least: 256 * 1024, most: 2 * 1024 * 1024 };
/** Pages besides the one that is delivered. With one alone the consumer waits whenever the database takes longer than usual. */
const MAX_PAGES = 2;

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
}

export class ReadAhead {
  readonly #options: ReadAheadOptions;
  /** Each begins where the one before it ends. */
  #pages: { readonly after: Position; readonly batch: Promise<ReadBatch> }[] = [];
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
    this.#pages = [];
    this.#newest = undefined;
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
    if (newest === undefined || this.#pages.length >= room) return;
    newest.then(
      ({ scannedTo }) => {
        if (this.#newest !== newest || scannedTo >= this.#options.visible()) return;
        const batch = this.#read(scannedTo);
        // What is in memory now will be so then, or is read then.
        if (!(batch instanceof Promise)) return;
        this.#pages.push({ after: scannedTo, batch });
        this.#began(batch);
      },
      () => {},
    );
  }

  #read(after: Position): Promise<ReadBatch> | ReadBatch {
    const { maxInFlight, maxInFlightBytes } = this.#options.credit();
    const limit = within(PAGE_EVENTS, maxInFlight);
    return this.#options.read({ after, limit, maxBytes: within(PAGE_BYTES, maxInFlightBytes) });
  }
}

function within({ least, most }: { readonly least: number; readonly most: number }, wanted: number): number {
  return Math.min(most, Math.max(least, wanted));
}
