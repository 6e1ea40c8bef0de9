// The newest part of the log, in memory, and the durable mark. The one place that says what may be shown, and the
// only poller of an instance.
//
// | state of a position | entered when | left when |
// |---|---|---|
// | unknown | – | a group of ours commits it, or a poll finds the head above it |
// | committed | the head row shows it | our COMMIT returned, or a barrier after the look returned: durable |
// | visible | durable, and everything below it is visible | never |
// | in memory | visible, and among the newest `maxBytes` | newer entries, or encodings that readers asked for, push it out |
//
// Invariant: `visible` only grows; memory holds exactly the stored entries of (memoryStart, visible].

import { JITTER, spreadMs } from '../../domain/backoff.js';
import { entryMemory } from '../../domain/events/entry-size.js';
import { ENTRY_KINDS, type EntryKeeper, type LogEntry } from '../../domain/events/event.js';
import type { Clock, Timer } from '../../lib/clock.js';
import { within } from '../../lib/within.js';
import type { DurableReads, EventLog, LogHead } from '../../storage/ports/log-storage.js';
import type { Logger, Metrics } from '../../telemetry.js';
import type { Millis, Position } from '../../units.js';
import type { ErasureWatch } from '../erasure/erasure-watch.js';
import { NO_ERASURES, type Shown } from '../erasure/erasures.js';
import type { Selection, Wake } from './log-source.js';
import { LogWaiters } from './log-waiters.js';

/** Entries read in one query when the tail catches up with other instances. */
const CATCH_UP_ENTRIES = 1_000;
const CATCH_UP_BYTES = 8 * 1024 * 1024;
/** Further behind than this, memory begins anew at the head instead of reading all. */
const MAX_CATCH_UP = 20_000;
/** How long without a commit until one is made to learn whether the database still stores: one that is read-only answers too. */
const HEARTBEAT_MS = 5_000;
/** How long, at most, until this instance tells the others that it lives: while it commits groups it makes no other commits. */
const SEEN_MS = 60_000;
/**
 * How long memory is shown after the head was looked at last: whoever was still for longer may have missed that something in it is
 * erased. Shorter than an erasure waits for instances that do not answer.
 */
const TRUSTED_MS = 10_000;
/** How long a call waits for what its instance stored to be shown. */
const SHOWN_MS = 500;
const ALL = { context: 'all', kinds: ENTRY_KINDS, withReserved: true } as const;

export interface LogTailOptions {
  readonly log: EventLog;
  readonly durableReads: DurableReads;
  readonly maxBytes: number;
  readonly pollMs: Millis;
  /** True for the token of a group that this instance is committing: it will be published without a poll. */
  readonly isOwnToken: (token: number) => boolean;
  /** Follows what is erased; undefined: nothing ever is. */
  readonly erasureWatch?: Pick<ErasureWatch, 'isBehind' | 'follow'>;
  readonly erasures?: Shown;
  /** Told when the database stops to answer or to store, and when it does both again. */
  readonly onDatabase: (up: boolean) => void;
  readonly clock: Clock;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

export class LogTail implements EntryKeeper {
  readonly #options: LogTailOptions;
  /** Ascending; `#start` is the index of the first one that counts. */
  #entries: (LogEntry | undefined)[] = [];
  #start = 0;
  #bytes = 0;
  /** Everything at or below is not in memory. */
  #memoryStart: Position = 0;
  #visible: Position = 0;
  #epoch = 0;
  /** Own groups that were published before an earlier one, by their first position. */
  readonly #ahead = new Map<Position, readonly LogEntry[]>();
  readonly #waiters = new LogWaiters();
  /** The position up to which memory was read anew for deletions. */
  #deletedTo: Position = 0;
  #timer: Timer | undefined;
  #polling: Promise<void> | undefined;
  #reaching: Promise<void> | undefined;
  #stopped = false;
  #lookedAtMs = 0;
  #storedAtMs = 0;
  /** When a barrier was made, which writes the instance's own row. */
  #seenAtMs = 0;
  #up = true;

  constructor(options: LogTailOptions) {
    this.#options = options;
  }

  get visible(): Position {
    return this.#visible;
  }

  /** Nothing after this position was deleted when the head was last looked at. */
  get deletedTo(): Position {
    return this.#deletedTo;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Reads the head, makes it durable, and begins to poll. */
  async start(): Promise<void> {
    const head = await this.#readHead(() => true);
    this.#deletedTo = head.deletedTo;
    await this.#followErasures(head);
    this.#epoch = head.epoch;
    this.#memoryStart = head.position;
    this.#setVisible(head.position);
    this.#schedule();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.stop();
    await this.#polling?.catch(() => {});
  }

  /** Entries of a group of ours whose COMMIT has returned, in position order. */
  publish(entries: readonly LogEntry[]): void {
    this.#storedAtMs = this.#options.clock.monotonicMs();
    // Whoever asked for one of them may have made it visible before.
    const isSeen = (entries[0]?.position ?? 0) <= this.#visible;
    const hidden = isSeen ? entries.filter(({ position }) => position > this.#visible) : entries;
    const first = hidden[0];
    if (first === undefined) return;
    if (first.position === this.#visible + 1) this.#append(hidden);
    else this.#ahead.set(first.position, hidden);
  }

  /** See EntryKeeper: an entry in memory was encoded for its first reader. */
  grew(bytes: number): void {
    this.#bytes += bytes;
    this.#evict();
  }

  /** The entries after a position, oldest first, at most `limit`; undefined when memory does not reach back that far. */
  after(position: Position, limit: number): readonly LogEntry[] | undefined {
    if (position < this.#memoryStart || !this.#isTrusted) return undefined;
    const from = this.#indexAfter(position);
    return this.#entries.slice(from, from + limit) as LogEntry[];
  }

  /** The entry at a position if it is in memory. */
  at(position: Position): LogEntry | undefined {
    if (!this.#isTrusted) return undefined;
    const entry = this.#entries[this.#indexAfter(position - 1)];
    return entry?.position === position ? entry : undefined;
  }

  /** See LogSource.waitBeyond. */
  waitBeyond(position: Position, signal: AbortSignal, selection?: Selection): Promise<Position> {
    if (this.#visible > position || signal.aborted) return Promise.resolve(position);
    return new Promise((resolve) => {
      let told: Position | undefined;
      const abort = () => {
        end();
        // Unless it was woken, nothing up to there concerns it.
        resolve(told ?? Math.max(position, this.#visible));
      };
      const wake = (passed: Position) => {
        told = passed;
        return () => {
          signal.removeEventListener('abort', abort);
          resolve(passed);
        };
      };
      const end = this.onBeyond(position, wake, selection);
      signal.addEventListener('abort', abort, { once: true });
    });
  }

  /** See LogSource.onBeyond. */
  onBeyond(position: Position, wake: Wake, selection?: Selection): () => void {
    return this.#waiters.add(position, wake, selection);
  }

  /** Whether everything is visible that groups of this instance stored. */
  get isShown(): boolean {
    return this.#ahead.size === 0;
  }

  /**
   * Resolves when everything is visible that this instance had stored by now, for which it reads what others stored below it; also
   * when that takes more than 500 ms, or fails: who reads on is told so then.
   */
  async shown(): Promise<void> {
    const ends = [...this.#ahead.values()].map((entries) => entries.at(-1)?.position ?? 0);
    const reached = this.reach(Math.max(0, ...ends)).catch(() => {});
    await within(this.#options.clock, SHOWN_MS, reached, () => {});
  }

  /** Makes a position visible that is known to be durable. */
  async reach(position: Position): Promise<void> {
    while (position > this.#visible) {
      this.#reaching ??= this.#catchUp(position).finally(() => {
        this.#reaching = undefined;
      });
      await this.#reaching;
    }
  }

  #append(entries: readonly LogEntry[]): void {
    for (let next: readonly LogEntry[] | undefined = entries; next !== undefined; ) {
      for (const entry of next) {
        entry.keeper = this;
        this.#entries.push(entry);
        this.#bytes += entryMemory(entry);
      }
      const end: Position = next.at(-1)?.position ?? this.#visible;
      this.#visible = end;
      this.#waiters.grown(next);
      next = this.#ahead.get(end + 1);
      if (next !== undefined) this.#ahead.delete(end + 1);
    }
    this.#evict();
    this.#setVisible(this.#visible);
  }

  #setVisible(position: Position): void {
    this.#visible = position;
    this.#options.metrics.tailPosition.set(position);
    this.#options.metrics.tailBytes.set(this.#bytes);
    this.#cutAhead(position);
  }

  /** Forgets what was published ahead of its turn and is visible by now: it is known from elsewhere. */
  #cutAhead(position: Position): void {
    for (const [first, entries] of this.#ahead) {
      if (first > position) continue;
      this.#ahead.delete(first);
      const rest = entries.filter((entry) => entry.position > position);
      if (rest[0] !== undefined) this.#ahead.set(rest[0].position, rest);
    }
    const next = this.#ahead.get(position + 1);
    if (next === undefined) return;
    this.#ahead.delete(position + 1);
    this.#append(next);
  }

  #evict(): void {
    while (this.#bytes > this.#options.maxBytes && this.#start < this.#entries.length - 1) {
      const entry = this.#entries[this.#start] as LogEntry;
      this.#forget(entry);
      this.#memoryStart = entry.position;
      // What is not counted any more is not held here either until its place goes.
      this.#entries[this.#start] = undefined;
      this.#start += 1;
    }
    // Dropped in bulk: a shift an entry would copy the whole array each time.
    if (this.#start > 4096 && this.#start * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#start);
      this.#start = 0;
    }
  }

  /** Keeps nothing that may be deleted: what lies up to a later deletion than the former ones is read anew from storage. */
  #forgetDeleted(to: Position): void {
    if (to <= this.#deletedTo) return;
    this.#deletedTo = to;
    if (to <= this.#memoryStart) return;
    const end = this.#indexAfter(to);
    for (; this.#start < end; this.#start += 1) {
      this.#forget(this.#entries[this.#start] as LogEntry);
      this.#entries[this.#start] = undefined;
    }
    this.#memoryStart = Math.min(to, this.#visible);
    this.#options.metrics.tailBytes.set(this.#bytes);
  }

  /** Lets go of an entry; who reads it still has it encoded for himself. */
  #forget(entry: LogEntry): void {
    this.#bytes -= entryMemory(entry);
    entry.keeper = undefined;
  }

  /** Index of the first entry after the position. Positions are dense but for what retention deleted. */
  #indexAfter(position: Position): number {
    let low = this.#start;
    let high = this.#entries.length;
    const first = this.#entries[low];
    if (first !== undefined) {
      const guess = low + (position - first.position) + 1;
      if (guess >= low && guess <= high && (guess === low || this.#entries[guess - 1]?.position === position))
        return guess;
    }
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#entries[middle] as LogEntry).position <= position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #schedule(): void {
    if (this.#stopped) return;
    // At most the interval: who relies on it is told its bound.
    const delayMs = spreadMs(this.#options.pollMs, JITTER.upperQuarter, this.#options.random);
    this.#timer = this.#options.clock.after(delayMs, () => {
      this.#polling = this.#look().finally(() => this.#schedule());
    });
  }

  async #look(): Promise<void> {
    this.#options.metrics.tailWaiters.set(this.#waiters.size);
    let news = false;
    try {
      const head = await this.#readHead((found) => {
        news = this.#isNews(found);
        return news || this.#isBehindErasures(found) || !this.#up || this.#isHeartbeatDue();
      });
      await this.#followErasures(head);
      this.#setUp(true);
      this.#forgetDeleted(head.deletedTo);
      if (news) await this.reach(head.position);
    } catch (error) {
      this.#setUp(false, error);
    }
  }

  #isBehindErasures({ newestErasure }: LogHead): boolean {
    return this.#options.erasureWatch?.isBehind(newestErasure) === true;
  }

  /** Keeps to what is erased by the time of the head, which is durable if there is anything new. */
  async #followErasures(head: LogHead): Promise<void> {
    if (this.#isBehindErasures(head)) {
      await this.#options.erasureWatch?.follow(head.newestErasure, () => this.#eraseMemory());
    }
    this.#lookedAtMs = this.#options.clock.monotonicMs();
  }

  /** Takes the content of what is erased out of memory. */
  #eraseMemory(): void {
    const { erasures = NO_ERASURES } = this.#options;
    for (let index = this.#start; index < this.#entries.length; index += 1) {
      const entry = this.#entries[index] as LogEntry;
      const left = erasures.shown(entry);
      if (left === entry) continue;
      this.#forget(entry);
      left.keeper = this;
      this.#bytes += entryMemory(left);
      this.#entries[index] = left;
    }
  }

  get #isTrusted(): boolean {
    const { erasureWatch, clock } = this.#options;
    return erasureWatch === undefined || clock.monotonicMs() - this.#lookedAtMs <= TRUSTED_MS;
  }

  /** Reads the head; where that needs a barrier, everything up to it is durable afterwards. */
  async #readHead(needsBarrier: (head: LogHead) => boolean): Promise<LogHead> {
    let isStored = false;
    const head = await this.#options.durableReads.durable(
      () => this.#options.log.readHead(),
      (found) => {
        isStored = needsBarrier(found);
        return isStored;
      },
    );
    if (!isStored) return head;
    this.#storedAtMs = this.#options.clock.monotonicMs();
    this.#seenAtMs = this.#storedAtMs;
    return head;
  }

  #isNews(head: LogHead): boolean {
    if (head.position <= this.#visible) return false;
    // Own groups that wait for a foreign one below them need the look.
    return this.#ahead.size > 0 || !this.#options.isOwnToken(head.token);
  }

  #isHeartbeatDue(): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    return nowMs - this.#storedAtMs >= HEARTBEAT_MS || nowMs - this.#seenAtMs >= SEEN_MS;
  }

  async #catchUp(position: Position): Promise<void> {
    if (position - this.#visible > MAX_CATCH_UP) return this.#restartAt(position);
    while (this.#visible < position) {
      const after = this.#visible;
      const page = await this.#options.log.readPage(ALL, {
        after,
        upTo: position,
        limit: CATCH_UP_ENTRIES,
        maxBytes: CATCH_UP_BYTES,
      });
      // A group of ours may have been published meanwhile.
      const hidden = page.entries.filter((entry) => entry.position > this.#visible);
      if (hidden.length > 0) this.#append(hidden);
      if (page.scannedTo <= this.#visible) continue;
      this.#setVisible(page.scannedTo);
      this.#waiters.wakeAll(page.scannedTo);
    }
  }

  #restartAt(position: Position): void {
    for (const entry of this.#entries) if (entry !== undefined) this.#forget(entry);
    this.#entries = [];
    this.#start = 0;
    this.#bytes = 0;
    this.#memoryStart = position;
    this.#visible = position;
    // Before own groups ahead of it become visible: they know nothing of what lies between.
    this.#waiters.wakeAll(position);
    this.#setVisible(position);
  }

  #setUp(up: boolean, error?: unknown): void {
    this.#options.metrics.databaseUp.set(up ? 1 : 0);
    if (up === this.#up) return;
    this.#up = up;
    this.#options.onDatabase(up);
    if (up) this.#options.logger.info({}, 'database answers and stores again');
    else this.#options.logger.warn({ err: error }, 'database does not answer or store');
  }
}
