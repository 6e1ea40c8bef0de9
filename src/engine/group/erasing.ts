// Erases what events say: decided first, in one group with its entry of the audit, and then done part by part, by whoever is there.
//
// | state | entered when | left when |
// |---|---|---|
// | decided | its group has committed | every instance keeps to it, or cannot show anything from memory any more |
// | going on | nobody shows what it covers from memory | nothing that it covers has content |
// | finished | the last part has committed | never |
//
// Every part is a group of its own, under the head row: no push, look or withdrawal sees an event half erased. A part that is done twice
// changes nothing, so that nobody has to know who does it: whoever asked, or, where he is gone, whoever finds that nobody goes on.

import type { Erasure, ErasureTarget } from '../../domain/erasure/erasure.js';
import { Subject } from '../../domain/events/subject.js';
import type { ManagementCall } from '../../domain/management/audit.js';
import type { Clock, Timer } from '../../lib/clock.js';
import { pause } from '../../lib/pause.js';
import { within } from '../../lib/within.js';
import type { ArchiveStore, HoldingArchives } from '../../storage/ports/archive-storage.js';
import type { CoveredCount, ErasurePart, ErasureStore, StoredErasure } from '../../storage/ports/erasure-storage.js';
import type { Logger, Metrics } from '../../telemetry.js';
import type { Micros, Millis, Position } from '../../units.js';
import type { GroupCommit } from './group-commit.js';
import type { Management } from './management.js';
import type { PushedBy } from './pushes.js';

/** How long a call waits for what it began; then it goes on without it. */
const PATIENCE_MS = 8_000;
/** How long instances are waited for that do not say that they keep to it: their memory is not shown any more by then. */
const SILENT_MS = 15_000;
/** Instances that wrote nothing for so long have ended. */
const SEEN_MS = 90_000;
/** How often they are asked for. */
const ASK_MS = 20;
/** The pause after a part is as long as the part took, and this at least. */
const LEAST_PAUSE_MS = 2;
/** Nobody goes on with an erasure that has not moved for so long; how often that is looked for. */
const STALLED_MS = 5_000;
const LOOK_MS = 5_000;
/** Archives that are named. */
const MAX_ARCHIVES = 1_000;

export interface ErasingOptions {
  readonly store: ErasureStore;
  readonly archives: Pick<ArchiveStore, 'holding'>;
  readonly groupCommit: Pick<GroupCommit, 'submit'>;
  readonly management: Pick<Management, 'entry'>;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** What was done of what was asked for. */
export interface ErasureReport {
  /** Events that have lost their content by this call, or by one before that had not finished. */
  readonly events: number;
  /** Events that are still to lose it. */
  readonly remaining: CoveredCount;
  /** Undefined: there was nothing to erase. */
  readonly erasedAt: Micros | undefined;
}

const NONE: CoveredCount = { events: 0, isExact: true };

export class Erasing {
  readonly #options: ErasingOptions;
  readonly #running = new Map<Position, Promise<void>>();
  readonly #stopping = new AbortController();
  #timer: Timer | undefined;
  #looking: Promise<void> | undefined;

  constructor(options: ErasingOptions) {
    this.#options = options;
  }

  /** Begins to look for what nobody goes on with. */
  start(): void {
    if (this.#stopping.signal.aborted) return;
    this.#timer = this.#options.clock.after(LOOK_MS, () => {
      this.#looking = this.#look().finally(() => this.start());
    });
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#timer?.stop();
    await this.#looking;
    await Promise.all([...this.#running.values()].map((run) => run.catch(() => {})));
  }

  /** What of the target there is to erase. STREAM_UNKNOWN. */
  count(target: ErasureTarget): Promise<CoveredCount> {
    return this.#options.store.count(target);
  }

  /** Archives that hold what such events said: to be asked once they are erased. */
  archives(target: ErasureTarget): Promise<HoldingArchives> {
    return this.#options.archives.holding(target, MAX_ARCHIVES);
  }

  /**
   * Erases what there is of the target, and reports how far that is after some seconds: what is decided by then goes on by itself. One
   * that had not finished is gone on with first. STREAM_UNKNOWN.
   */
  async erase(target: ErasureTarget, call: ManagementCall, by: PushedBy = {}): Promise<ErasureReport> {
    const { store, clock } = this.#options;
    const untilMs = clock.monotonicMs() + PATIENCE_MS;
    let events = 0;
    const former = await store.newest(target);
    if (former !== undefined && former.finishedAt === undefined) {
      const report = await this.#waitedFor(former, untilMs);
      if (report.remaining.events > 0) return report;
      events += report.events;
    }
    const covered = await store.count(target);
    if (covered.events === 0) return { events, remaining: NONE, erasedAt: former?.decidedAt };
    const erasure = await this.#begin(target, call, by);
    const report = await this.#waitedFor(erasure, untilMs);
    return { ...report, events: events + report.events };
  }

  async #begin(target: ErasureTarget, call: ManagementCall, { signal, caller }: PushedBy): Promise<StoredErasure> {
    const { management, groupCommit, store } = this.#options;
    const about = target.kind === 'stream' ? { stream: target.stream } : { data_subject_sha256: target.digest };
    const entityType = target.kind === 'stream' ? 'stream' : 'data_subject';
    const told = { entityType, subject: Subject.DELETED, context: target.context, about };
    const unit = { kind: 'erase', target, audit: management.entry(call, told) } as const;
    const { position } = await groupCommit.submit(unit, signal, caller);
    this.#options.logger.info({ erasure: position, of: target.kind }, 'an erasure is decided');
    const erasure = await store.find(position);
    if (erasure === undefined) throw new Error('invariant broken: an erasure that was decided is not stored');
    return erasure;
  }

  async #waitedFor({ target, position, decidedAt }: Erasure, untilMs: Millis): Promise<ErasureReport> {
    const { clock, store } = this.#options;
    await within(clock, Math.max(0, untilMs - clock.monotonicMs()), this.#run(position), () => undefined);
    const now = await store.find(position);
    const isFinished = now?.finishedAt !== undefined;
    const remaining = isFinished ? NONE : await store.count(target);
    return { events: now?.events ?? 0, remaining: atLeastOne(remaining, isFinished), erasedAt: decidedAt };
  }

  async #look(): Promise<void> {
    try {
      const stalled = await this.#options.store.stalled(STALLED_MS);
      for (const { position } of stalled) {
        if (!this.#stopping.signal.aborted) await this.#run(position);
      }
    } catch (error) {
      this.#options.logger.debug({ err: error }, 'erasures were not looked for');
    }
  }

  /** Goes on with an erasure until it is finished; at once for all who ask. */
  #run(position: Position): Promise<void> {
    const known = this.#running.get(position);
    if (known !== undefined) return known;
    const run = this.#goOn(position).finally(() => this.#running.delete(position));
    // Whoever waits for it is told; if nobody does, somebody looks for it again.
    run.catch((error) => this.#options.logger.warn({ err: error, erasure: position }, 'an erasure was held up'));
    this.#running.set(position, run);
    return run;
  }

  async #goOn(position: Position): Promise<void> {
    const { store, clock, metrics } = this.#options;
    const { signal } = this.#stopping;
    await this.#everyoneKeepsTo(position);
    while (!signal.aborted) {
      const erasure = await store.find(position);
      if (erasure === undefined || erasure.finishedAt !== undefined) return;
      const startMs = clock.monotonicMs();
      const part = await store.next(erasure);
      metrics.erasedEvents.inc(await this.#erasePart(erasure, part));
      if (part.isLast) {
        await store.finish(position);
        this.#options.logger.info({ erasure: position }, 'an erasure is finished');
        return;
      }
      await pause(clock, Math.max(LEAST_PAUSE_MS, clock.monotonicMs() - startMs), signal);
    }
  }

  /** Waits until no instance shows from memory what is covered. */
  async #everyoneKeepsTo(position: Position): Promise<void> {
    const { store, clock } = this.#options;
    const untilMs = clock.monotonicMs() + SILENT_MS;
    while ((await store.behind(position, SEEN_MS)) > 0) {
      if (this.#stopping.signal.aborted || clock.monotonicMs() >= untilMs) return;
      await pause(clock, ASK_MS, this.#stopping.signal);
    }
  }

  async #erasePart(erasure: StoredErasure, { eventIds, waitIds, upTo }: ErasurePart): Promise<number> {
    if (eventIds.length + waitIds.length === 0) return 0;
    const { groupCommit, store } = this.#options;
    const { events } = await groupCommit.submit({ kind: 'blank', erasure, eventIds, waitIds, upTo });
    await store.clearCopies({ eventIds, waitIds });
    return events;
  }
}

/** What goes on is not told as finished, whatever can be counted of it. */
function atLeastOne(count: CoveredCount, isFinished: boolean): CoveredCount {
  return isFinished || count.events > 0 ? count : { events: 1, isExact: false };
}
