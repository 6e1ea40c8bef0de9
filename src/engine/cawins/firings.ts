// The making of firings: an internal consumer of the log looks for entries that end events, and records a firing for each
// cawin on them, in chunks, so that a million cawins on one event hold nobody up. One instance does it at a time, by a lease in
// the database; cawins' own deadlines are its work too. Firings of events that ended before their cawins are recorded with these.
//
// | state     | entered when                                  | left when                                            |
// |-----------|-----------------------------------------------|------------------------------------------------------|
// | idle      | at first; the hold was lost; the database away | the lease is free: working                           |
// | working   | the lease was acquired                        | a guarded write finds another owner; an error; stop  |

import type { EndKind } from '../../domain/cawins/cawin.js';
import { EntryKind, type LogEntry } from '../../domain/events/event.js';
import type { Clock } from '../../lib/clock.js';
import type { CursorHold, EventEnd, FiringStore } from '../../storage/ports/cawin-storage.js';
import type { Logger } from '../../telemetry.js';
import type { EventId, Micros, Position } from '../../units.js';
import { LeasedWork } from '../log/leased-work.js';
import type { LogSource } from '../log/log-source.js';
import { waitForMore } from '../log/log-wait.js';
import { OpenFirings } from './open-firings.js';

/** Entries that are looked at together: behind the head they are read with their payloads. */
const BATCH = 256;
/** Event ids that are looked up at a time. */
const LOOK_UP = 1_000;
/** Events whose cawins are fired in one transaction, and cawins of each: it holds their endpoints' rows. */
const CHUNK = { events: 32, cawins: 500 };
/** Events that are being fired at a time: with more, no further entries are looked at. */
const MAX_OPEN = 4_096;
/** Cawins whose deadline passed, at a time: they are looked at under the head row. */
const EXPIRY_CHUNK = 200;
/** How often a lease is asked for, and a held one renewed. */
const LEASE_PERIOD_MS = 2_000;
/** Pause after an error: the lease is still ours, if the database is there. */
const RETRY_MS = 250;
/** How often deadlines are looked at, unless one is known to come before: another instance may store an earlier one. */
const DEADLINE_PERIOD_MS = 1_000;
/** The place is written at most so often when nothing fires. */
const PLACE_EVERY_POSITIONS = 10_000;

/** Finds the occurrence that an invalidation withdrew: it names the other awaits that it had ended. */
export interface Occurrences {
  /** The entries of an event, in position order. */
  findByEventId(eventId: EventId): Promise<readonly LogEntry[]>;
}

export interface FiringsOptions {
  readonly store: FiringStore;
  readonly source: LogSource;
  readonly log: Occurrences;
  /** Name of this instance, unique to one run of one process. */
  readonly instanceId: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called when there are new firings. */
  readonly onFirings: () => void;
}

export class Firings {
  readonly #options: FiringsOptions;
  readonly #leased: LeasedWork;
  #hold: CursorHold | undefined;
  /** The position up to which every entry was looked at, though perhaps not all of them are fired. */
  #scanned: Position = 0;
  readonly #open = new OpenFirings();
  /** When the lease is renewed, on the clock that never jumps. */
  #renewAt = 0;
  #deadlineAt = 0;

  constructor(options: FiringsOptions) {
    this.#options = options;
    const { clock, logger } = options;
    this.#leased = new LeasedWork({
      clock,
      logger,
      leasePeriodMs: LEASE_PERIOD_MS,
      retryMs: RETRY_MS,
      failing: 'firings are not made at present',
      working: 'firings are made again',
      acquire: () => this.#acquire(),
      work: (signal) => this.#work(signal),
    });
  }

  start(): void {
    this.#leased.start();
  }

  /** Lets another instance go on. */
  async stop(): Promise<void> {
    await this.#leased.stop();
    if (this.#hold === undefined) return;
    if (this.#done > this.#hold.position) await this.#writePlace();
    if (this.#hold !== undefined) await this.#options.store.release(this.#hold);
  }

  /** The position up to which everything has its firings. */
  get #done(): Position {
    const { lowest } = this.#open;
    return lowest === undefined ? this.#scanned : lowest - 1;
  }

  async #acquire(): Promise<void> {
    const { store, source, instanceId, clock } = this.#options;
    this.#open.clear();
    this.#hold = await store.acquire(instanceId, source.epoch);
    this.#scanned = this.#hold?.position ?? 0;
    this.#renewAt = clock.monotonicMs() + LEASE_PERIOD_MS;
    this.#deadlineAt = 0;
  }

  /** Works until the hold is lost or the instance stops; rejects when the database is away. */
  async #work(signal: AbortSignal): Promise<void> {
    const { source, clock } = this.#options;
    while (!signal.aborted && this.#hold !== undefined) {
      await this.#round();
      if (this.#open.size > 0 || this.#scanned < source.visible) continue;
      const timeoutMs = Math.min(this.#renewAt, this.#deadlineAt) - clock.monotonicMs();
      if (timeoutMs > 0) await waitForMore(source, this.#scanned, { signal, timeoutMs });
    }
  }

  /** Does a part of everything that there is to do. */
  async #round(): Promise<void> {
    const { source, clock } = this.#options;
    if (this.#scanned < source.visible && this.#open.size < MAX_OPEN) await this.#look();
    if (this.#open.size > 0) await this.#fire();
    if (clock.monotonicMs() >= this.#deadlineAt) await this.#expire();
    const isFar = this.#hold !== undefined && this.#done - this.#hold.position >= PLACE_EVERY_POSITIONS;
    if (isFar || clock.monotonicMs() >= this.#renewAt) await this.#writePlace();
  }

  /** Looks at the next entries of the log. */
  async #look(): Promise<void> {
    const { source } = this.#options;
    const scannedTo = Math.min(source.visible, this.#scanned + BATCH);
    const positions = Array.from({ length: scannedTo - this.#scanned }, (_, n) => this.#scanned + 1 + n);
    const ends: LogEnd[] = [];
    for (const entry of await source.readAt(positions)) if (endsWait(entry)) ends.push(await this.#endOf(entry));
    const known = await this.#withCawins(ends);
    for (const { eventIds, ...end } of ends) {
      for (const eventId of eventIds) if (known.has(eventId)) this.#open.add({ end, eventId, afterCawin: 0 });
    }
    this.#scanned = scannedTo;
  }

  /** Fires a part of the cawins of those events whose turn it is. */
  async #fire(): Promise<void> {
    const { store, onFirings } = this.#options;
    if (this.#hold === undefined) return;
    const jobs = this.#open.next(CHUNK.events);
    const left = await store.fire(this.#hold, jobs, Math.max(16, Math.floor(CHUNK.cawins / jobs.length)));
    if (left === undefined) {
      this.#hold = undefined;
      return;
    }
    this.#open.advance(jobs, left);
    onFirings();
  }

  async #expire(): Promise<void> {
    const { store, clock, onFirings } = this.#options;
    const { looked, nextMs = DEADLINE_PERIOD_MS } = await store.expireDue(EXPIRY_CHUNK);
    if (looked > 0) onFirings();
    this.#deadlineAt = clock.monotonicMs() + (looked > 0 ? 0 : Math.min(nextMs, DEADLINE_PERIOD_MS));
  }

  async #writePlace(): Promise<void> {
    if (this.#hold === undefined) return;
    const { store, clock } = this.#options;
    const position = this.#done;
    this.#renewAt = clock.monotonicMs() + LEASE_PERIOD_MS;
    const held = await store.advance(this.#hold, position);
    this.#hold = held ? { ...this.#hold, position } : undefined;
  }

  async #withCawins(ends: readonly LogEnd[]): Promise<ReadonlySet<number>> {
    const ids = [...new Set(ends.flatMap(({ eventIds }) => eventIds))];
    const known = new Set<number>();
    for (let from = 0; from < ids.length; from += LOOK_UP) {
      for (const id of await this.#options.store.withCawins(ids.slice(from, from + LOOK_UP))) known.add(id);
    }
    return known;
  }

  async #endOf(entry: LogEntry): Promise<LogEnd> {
    const { kind, position, createdAt } = entry;
    const base = { kind: kind as EndKind, position, createdAt };
    if (kind !== EntryKind.INVALIDATED) return { ...base, firstEndAt: createdAt, eventIds: idsOf(entry) };
    const entries = await this.#options.log.findByEventId(entry.eventId);
    const occurred = entries.find((each) => each.kind === EntryKind.OCCURRED);
    const firstEndAt: Micros = occurred?.createdAt ?? createdAt;
    return { ...base, firstEndAt, eventIds: [...new Set([...idsOf(entry), ...(occurred ? idsOf(occurred) : [])])] };
  }
}

/** An entry of the log that ended events. */
interface LogEnd extends EventEnd {
  /** All the ids of those events. */
  readonly eventIds: readonly EventId[];
}

/**
 * Whether there may be cawins that wait for the entry. What occurs without having been awaited has none: those that were made on it
 * later had their firings with them.
 */
function endsWait({ kind, rest }: LogEntry): boolean {
  return kind === EntryKind.OCCURRED ? rest?.satisfiedIds !== undefined : kind !== EntryKind.TRANSFERRED;
}

/** Every id that the entry ended. */
function idsOf(entry: LogEntry): number[] {
  return [entry.eventId, ...(entry.rest?.satisfiedIds ?? [])];
}
