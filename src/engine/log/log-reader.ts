// LogSource over the tail and the stored log: from memory where it reaches, from pages behind it.

import { entryBytes } from '../../domain/events/entry-size.js';
import type { LogEntry } from '../../domain/events/event.js';
import { needsWithdrawn } from '../../domain/events/event-filter.js';
import type { Clock } from '../../lib/clock.js';
import type { FairGate } from '../../lib/fair-gate.js';
import { LoopSlices } from '../../lib/loop-slices.js';
import type { Paced } from '../../lib/paced.js';
import type { EventLog, PositionPage } from '../../storage/ports/log-storage.js';
import type { DeletedEvents } from '../../storage/ports/unread-storage.js';
import type { Micros, Position } from '../../units.js';
import type { LogSource, ReadBatch, Selection, Wake } from './log-source.js';
import type { LogTail } from './log-tail.js';

/** Entries of memory that one call looks at, so that a selective reader does not hold up the others. */
const MEMORY_SCAN = 4_096;

export interface LogReaderOptions {
  readonly log: EventLog;
  readonly deleted: DeletedEvents;
  readonly tail: LogTail;
  /** Pages of the database that are read at a time: their readers take turns. */
  readonly pages: FairGate;
  readonly clock: Clock;
  /** Shared by all who look at many payloads. */
  readonly slices?: LoopSlices;
}

interface ReadOptions {
  readonly after: Position;
  readonly limit: number;
  readonly maxBytes: number;
  readonly caller?: string | undefined;
  readonly paced?: Paced | undefined;
}

export class LogReader implements LogSource {
  readonly clock: Clock;
  readonly #log: EventLog;
  readonly #deleted: DeletedEvents;
  readonly #tail: LogTail;
  readonly #pages: FairGate;
  readonly #slices: LoopSlices;
  /** The oldest stored position, as last seen: deletions only raise it. */
  #oldest: Position | undefined;

  constructor({ log, deleted, tail, pages, clock, slices = new LoopSlices(clock) }: LogReaderOptions) {
    this.#slices = slices;
    this.clock = clock;
    this.#log = log;
    this.#deleted = deleted;
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
    const memory = this.#memoryAfter(selection, options.after);
    if (memory !== undefined) return this.#fromMemory(memory, selection, options);
    const { caller = '', paced } = options;
    const read = () => this.#pages.run(caller, () => this.#readStored(selection, options));
    return paced === undefined ? read() : paced.run(caller, read);
  }

  /** See LogSource.readPositions. */
  readPositions(
    selection: Selection,
    { after, limit }: { readonly after: Position; readonly limit: number },
  ): Promise<PositionPage> | PositionPage {
    const memory = this.#memoryAfter(selection, after);
    if (memory === undefined) {
      return this.#log.readPositions(selection.criteria, { after, upTo: this.visible, limit });
    }
    const batch = this.#fromMemory(memory, selection, { after, limit, maxBytes: Number.POSITIVE_INFINITY });
    return batch instanceof Promise ? batch.then(positionsOf) : positionsOf(batch);
  }

  /** The entries after a position, where memory reaches and tells which of them match: what is withdrawn is not beside what withdraws it. */
  #memoryAfter({ criteria }: Selection, after: Position): readonly LogEntry[] | undefined {
    const memory = this.#tail.after(after, MEMORY_SCAN);
    if (memory === undefined || criteria.description === undefined) return memory;
    return memory.some((entry) => needsWithdrawn(criteria, entry)) ? undefined : memory;
  }

  /** Takes what matches at once, or, where payloads have to be looked at, in slices. */
  #fromMemory(memory: readonly LogEntry[], selection: Selection, options: ReadOptions): Promise<ReadBatch> | ReadBatch {
    // The last positions may be of what is not stored any more.
    const end = memory.length < MEMORY_SCAN ? Math.max(options.after, this.visible) : (memory.at(-1)?.position ?? 0);
    const scan = new MemoryScan(selection, options, end);
    return selection.criteria.description === undefined
      ? scan.all(memory)
      : this.#inSlices(memory, scan, options.caller ?? '');
  }

  async #inSlices(memory: readonly LogEntry[], scan: MemoryScan, caller: string): Promise<ReadBatch> {
    await this.#slices.each(caller, { items: memory, bytesOf: entryBytes, look: (entry) => scan.add(entry) });
    return scan.batch;
  }

  /** See LogSource.inMemory. */
  inMemory(position: Position): LogEntry | undefined {
    return this.#tail.at(position);
  }

  /** See LogSource.isQueued. */
  isQueued(caller: string): boolean {
    return this.#pages.isQueued(caller);
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

  /** See LogSource.othersAt. */
  othersAt({ criteria }: Selection, positions: readonly Position[]): Promise<ReadonlySet<Position>> {
    return this.#log.othersAt(criteria, positions);
  }

  /** See LogSource.waitBeyond. */
  waitBeyond(position: Position, signal: AbortSignal, selection?: Selection): Promise<Position> {
    return this.#tail.waitBeyond(position, signal, selection);
  }

  /** See LogSource.onBeyond. */
  onBeyond(position: Position, wake: Wake, selection?: Selection): () => void {
    return this.#tail.onBeyond(position, wake, selection);
  }

  /** See LogSource.deletedUpTo. */
  get deletedUpTo(): Position {
    return this.#tail.deletedTo;
  }

  /** See LogSource.deletedTo. */
  deletedTo({ criteria }: Selection, after: Position): Promise<Position> {
    return this.#deleted.deletedTo(criteria, after);
  }

  /** See LogSource.positionAt. */
  async positionAt(time: Micros): Promise<Position> {
    return Math.min(await this.#log.positionAt(time), this.visible);
  }

  /** See LogSource.oldestPosition. */
  async oldestPosition(): Promise<Position> {
    return Math.min(await this.#log.oldestPosition(), this.visible);
  }

  async #readStored(selection: Selection, { after, limit, maxBytes, caller }: ReadOptions): Promise<ReadBatch> {
    const upTo = this.visible;
    const from = await this.#storedAfter(after);
    const page = await this.#log.readPage(selection.criteria, { after: from, upTo, limit, maxBytes, caller });
    return { ...page, isStored: true };
  }

  /** Passes what is not stored any more at the log's beginning. Asked once per reader that starts below the oldest known entry. */
  async #storedAfter(after: Position): Promise<Position> {
    if (this.#oldest === undefined || after + 1 < this.#oldest) this.#oldest = await this.#log.oldestPosition();
    return Math.max(after, Math.min(this.#oldest - 1, this.visible));
  }
}

function positionsOf({ entries, scannedTo }: ReadBatch): PositionPage {
  return { positions: entries.map(({ position }) => position), scannedTo };
}

/** What one call takes from memory. */
class MemoryScan {
  readonly #selection: Selection;
  readonly #options: ReadOptions;
  readonly #entries: LogEntry[] = [];
  readonly #end: Position;
  #bytes = 0;
  #scannedTo: Position;
  #isFull = false;

  /** `end`: up to where the memory that is scanned reaches. */
  constructor(selection: Selection, options: ReadOptions, end: Position) {
    this.#selection = selection;
    this.#options = options;
    this.#end = end;
    this.#scannedTo = options.after;
  }

  get batch(): ReadBatch {
    return { entries: this.#entries, scannedTo: this.#isFull ? this.#scannedTo : this.#end };
  }

  all(memory: readonly LogEntry[]): ReadBatch {
    for (const entry of memory) if (!this.add(entry)) break;
    return this.batch;
  }

  /** Looks at the next entry; false: it matches, and there is no more room. */
  add(entry: LogEntry): boolean {
    const entries = this.#entries;
    if (this.#selection.matches(entry)) {
      const { limit, maxBytes } = this.#options;
      this.#bytes += entryBytes(entry);
      this.#isFull = entries.length === limit || (entries.length > 0 && this.#bytes > maxBytes);
      if (this.#isFull) return false;
      entries.push(entry);
    }
    this.#scannedTo = entry.position;
    return true;
  }
}
