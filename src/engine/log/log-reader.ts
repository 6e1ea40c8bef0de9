// LogSource over the tail and the stored log: from memory where it reaches, from pages behind it.

import { entryBytes } from '../../domain/events/entry-size.js';
import type { LogEntry } from '../../domain/events/event.js';
import type { Clock } from '../../lib/clock.js';
import type { FairGate } from '../../lib/fair-gate.js';
import type { EventLog, PositionPage } from '../../storage/ports/log-storage.js';
import type { Micros, Position } from '../../units.js';
import type { LogSource, ReadBatch, Selection } from './log-source.js';
import type { LogTail } from './log-tail.js';
import type { Wake } from './log-waiters.js';

/** Entries of memory that one call looks at, so that a selective reader does not hold up the others. */
const MEMORY_SCAN = 4_096;

export interface LogReaderOptions {
  readonly log: EventLog;
  readonly tail: LogTail;
  /** Pages of the database that are read at a time: their readers take turns. */
  readonly pages: FairGate;
  readonly clock: Clock;
}

interface ReadOptions {
  readonly after: Position;
  readonly limit: number;
  readonly maxBytes: number;
  readonly caller?: string | undefined;
}

export class LogReader implements LogSource {
  readonly clock: Clock;
  readonly #log: EventLog;
  readonly #tail: LogTail;
  readonly #pages: FairGate;
  /** The oldest stored position, as last seen: once retention deletes, that only raises it. */
  #oldest: Position | undefined;

  constructor({ log, tail, pages, clock }: LogReaderOptions) {
    this.clock = clock;
    this.#log = log;
    this.#tail = tail;
    this.#pages = pages;
  }

  get visible(): Position {
    return this.#tail.visible;
  }

  get epoch(): number {
    return this.#tail.epoch;
  }

  /** See LogSource.storedHead. */
  async storedHead(): Promise<Position> {
    return (await this.#log.readHead()).position;
  }

  /** See LogSource.read. */
  read(selection: Selection, options: ReadOptions): Promise<ReadBatch> | ReadBatch {
    const memory = this.#tail.after(options.after, MEMORY_SCAN);
    return memory === undefined
      ? this.#pages.run(options.caller ?? '', () => this.#readStored(selection, options))
      : fromMemory(memory, selection, options);
  }

  /** See LogSource.readPositions. */
  readPositions(
    selection: Selection,
    { after, limit }: { readonly after: Position; readonly limit: number },
  ): Promise<PositionPage> | PositionPage {
    const memory = this.#tail.after(after, MEMORY_SCAN);
    if (memory === undefined) {
      return this.#log.readPositions(selection.criteria, { after, upTo: this.visible, limit });
    }
    const { entries, scannedTo } = fromMemory(memory, selection, { after, limit, maxBytes: Number.POSITIVE_INFINITY });
    return { positions: entries.map(({ position }) => position), scannedTo };
  }

  /** See LogSource.readAt. */
  async readAt(positions: readonly Position[]): Promise<readonly LogEntry[]> {
    const found: LogEntry[] = [];
    const missing: Position[] = [];
    for (const position of positions) {
      const entry = this.#tail.at(position);
      if (entry === undefined) missing.push(position);
      else found.push(entry);
    }
    if (missing.length > 0) found.push(...(await this.#log.readAt(missing)));
    return found.sort((a, b) => a.position - b.position);
  }

  /** See LogSource.waitBeyond. */
  waitBeyond(position: Position, signal: AbortSignal, selection?: Selection): Promise<Position> {
    return this.#tail.waitBeyond(position, signal, selection);
  }

  /** See LogSource.onBeyond. */
  onBeyond(position: Position, wake: Wake, selection?: Selection): () => void {
    return this.#tail.onBeyond(position, wake, selection);
  }

  /** See LogSource.positionAt. */
  async positionAt(time: Micros): Promise<Position> {
    return Math.min(await this.#log.positionAt(time), this.visible);
  }

  /** See LogSource.oldestPosition. */
  async oldestPosition(): Promise<Position> {
    return Math.min(await this.#log.oldestPosition(), this.visible);
  }

  async #readStored(selection: Selection, { after, limit, maxBytes }: ReadOptions): Promise<ReadBatch> {
    const upTo = this.visible;
    const gap = await this.#gapAfter(after);
    const from = gap === undefined ? after : gap.last;
    const page = await this.#log.readPage(selection.criteria, { after: from, upTo, limit, maxBytes });
    return gap === undefined ? page : { ...page, gap };
  }

  /**
   * What is not stored any more right after the position, once retention deletes. Asked once per reader that starts below the oldest
   * known entry.
   */
  async #gapAfter(after: Position): Promise<ReadBatch['gap']> {
    if (this.#oldest === undefined || after + 1 < this.#oldest) this.#oldest = await this.#log.oldestPosition();
    const oldest = this.#oldest;
    return after + 1 < oldest ? { first: after + 1, last: oldest - 1 } : undefined;
  }
}

function fromMemory(
  memory: readonly LogEntry[],
  selection: Selection,
  { after, limit, maxBytes }: ReadOptions,
): ReadBatch {
  const entries: LogEntry[] = [];
  let bytes = 0;
  let scannedTo = after;
  for (const entry of memory) {
    if (selection.matches(entry)) {
      bytes += entryBytes(entry);
      if (entries.length === limit || (entries.length > 0 && bytes > maxBytes)) break;
      entries.push(entry);
    }
    scannedTo = entry.position;
  }
  return { entries, scannedTo };
}
