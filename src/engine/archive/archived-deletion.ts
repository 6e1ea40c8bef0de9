// Deletes batches as the store does, those of topics with an archive once their entries are in a file that lasts. See archive-storage.ts
// for the states of an archive.
//
// | step                                  | when the process ends after it                                       |
// |---------------------------------------|----------------------------------------------------------------------|
// | the archive's row is stored           | nothing counts: row and file are removed by the next run             |
// | whom the entries are about is stored  | an erasure names the archive though it may not have them             |
// | a part with the entries is synced     | it lies behind what counts, and is cut off by the next run           |
// | the batch is deleted, and it counts   | the next run seals what counts                                       |
//
// Where a deletion fails it is not known whether it has happened: the archive is not gone on with, and is finished by what its row says.

import type { Condition } from '../../domain/condition.js';
import { entryBytes } from '../../domain/events/entry-size.js';
import type { LogEntry } from '../../domain/events/event.js';
import type { Clock, Timer } from '../../lib/clock.js';
import { FairGate } from '../../lib/fair-gate.js';
import type { LoopSlices } from '../../lib/loop-slices.js';
import { within } from '../../lib/within.js';
import type {
  ArchivedLine,
  ArchivedTopic,
  ArchiveExtent,
  ArchiveFiles,
  ArchiveStore,
  GrowingArchive,
} from '../../storage/ports/archive-storage.js';
import type { EndedRuns, EventLog } from '../../storage/ports/log-storage.js';
import type {
  Batch,
  Deleted,
  Deletions,
  RetentionHold,
  RetentionStore,
} from '../../storage/ports/retention-storage.js';
import type { Logger, Metrics } from '../../telemetry.js';
import type { Micros, Millis } from '../../units.js';
import { FileGuard } from './file-guard.js';
import { UnfinishedArchives } from './unfinished-archives.js';

/** An archive that has become so long is sealed. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;
/** An archive that is so old is sealed. */
const MAX_AGE_MS: Millis = 600_000;
/** How often it is looked for what is to be sealed or finished. */
const LOOK_MS: Millis = 10_000;
/** How long a stop seals: what is left is finished by the next run. */
const LAST_SEALS_MS: Millis = 2_000;
const NO_DIRECTORY = 'this instance has no directory for archives (MADELEINE_ARCHIVE_DIR)';
const CALLER = 'archive';

export interface ArchivedDeletionOptions {
  readonly deletions: Pick<RetentionStore, 'delete'>;
  readonly store: ArchiveStore;
  /** Undefined: this instance has none. */
  readonly files: ArchiveFiles | undefined;
  readonly log: Pick<EventLog, 'readAt'>;
  readonly lineOf: (entry: LogEntry) => ArchivedLine;
  readonly slices: LoopSlices;
  /** Id of this run, and where others find it. */
  readonly instance: { readonly id: string; readonly address: string };
  readonly endedRuns: EndedRuns | undefined;
  readonly metrics: Pick<Metrics, 'archivedEntries' | 'archivedBytes' | 'archiveFailures' | 'archiveHeld'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

/** An archive that grows. */
interface Open {
  readonly id: number;
  readonly topic: ArchivedTopic;
  readonly file: GrowingArchive;
  readonly sealAtMs: Millis;
}

export class ArchivedDeletion implements Deletions {
  readonly #options: ArchivedDeletionOptions;
  readonly #guard: FileGuard;
  readonly #unfinished: UnfinishedArchives;
  /** Whoever works on archives is alone. */
  readonly #turn = new FairGate(1);
  readonly #open = new Map<number, Open>();
  /** Topics that are said to be held. */
  #held = new Set<number>();
  /** Why, of one of them. */
  #problem = '';
  #isToldOfNone = false;
  #timer: Timer | undefined;
  #looking: Promise<void> | undefined;

  constructor(options: ArchivedDeletionOptions) {
    this.#options = options;
    const { clock, random, metrics } = options;
    this.#guard = new FileGuard({ clock, random, onChange: (problem) => this.#tell(problem) });
    this.#unfinished = new UnfinishedArchives(options);
    metrics.archiveHeld.ask = () => this.#held.size;
  }

  /** Undefined: no topic is held, on any instance. */
  get condition(): (Condition & { readonly mend: string }) | undefined {
    if (this.#held.size === 0) return undefined;
    const topics = this.#held.size === 1 ? '1 topic' : `${this.#held.size} topics`;
    const detail = `nothing is deleted of ${topics}, as the archive cannot be written: ${this.#problem}`;
    return { state: 'down', detail, mend: 'madeleine retention state says which; it goes on once it can be written' };
  }

  /** Begins to finish what former runs left, and to seal what is old. */
  start(): void {
    const { endedRuns } = this.#options;
    if (endedRuns !== undefined) this.#unfinished.expect(endedRuns);
    const look = () => {
      this.#looking ??= this.look()
        .catch((error: unknown) => this.#options.logger.debug({ err: error }, 'archives were not looked at'))
        .finally(() => {
          this.#looking = undefined;
        });
    };
    this.#timer = this.#options.clock.every(LOOK_MS, look).unref();
    look();
  }

  /** Seals what grows, as far as that is done in a moment. */
  async stop(): Promise<void> {
    this.#timer?.stop();
    await within(this.#options.clock, LAST_SEALS_MS, this.#sealAll(), () => undefined);
  }

  /** See Deletions.isHeld. */
  async isHeld(topicId: number): Promise<boolean> {
    const topic = await this.#options.store.topic(topicId);
    if (topic === undefined || (this.#options.files !== undefined && !this.#guard.isWaiting)) return false;
    await this.#hold(topic);
    return true;
  }

  /** See Deletions.delete. */
  async delete(hold: RetentionHold, batch: Batch): Promise<Deleted> {
    const { deletions, store } = this.#options;
    const topic = batch.entries.length === 0 ? undefined : await store.topic(batch.topicId);
    if (topic === undefined) return deletions.delete(hold, batch);
    return this.#turn.run(CALLER, () => this.#archived(hold, topic, batch));
  }

  /** Seals what is large or old, and finishes what was left. */
  async look(): Promise<void> {
    await this.#lookAtHolds();
    await this.#turn.run(CALLER, async () => {
      const now = this.#options.clock.monotonicMs();
      for (const open of [...this.#open.values()]) if (now >= open.sealAtMs) await this.#seal(open);
      if (!this.#guard.isHanging) await this.#unfinished.finish();
    });
  }

  async #archived(hold: RetentionHold, topic: ArchivedTopic, batch: Batch): Promise<Deleted> {
    const written = this.#options.files && (await this.#write(this.#options.files, topic, batch));
    if (written === undefined) {
      await this.#hold(topic);
      return 'held';
    }
    if (written === 'moved') return 'moved';
    const { open, extent } = written;
    // Until it is known that it has happened.
    this.#open.delete(topic.topicId);
    this.#unfinished.add(open.id);
    const archived = { archiveId: open.id, ...extent };
    const deleted = await this.#options.deletions.delete(hold, { ...batch, archived });
    this.#unfinished.remove(open.id);
    this.#open.set(topic.topicId, open);
    if (deleted !== 'deleted') return deleted;
    const before = open.file.extent;
    open.file.keep();
    await this.#deleted(open, extent, before);
    return 'deleted';
  }

  async #deleted(open: Open, extent: ArchiveExtent, before: ArchiveExtent | undefined): Promise<void> {
    const { metrics, store } = this.#options;
    const { context, name, topicId } = open.topic;
    metrics.archivedEntries.inc(context, name, extent.entries - (before?.entries ?? 0));
    metrics.archivedBytes.inc(context, name, extent.fileBytes - (before?.fileBytes ?? 0));
    if (this.#held.delete(topicId)) await store.setHold(topicId, undefined).catch(() => this.#held.add(topicId));
    if (extent.fileBytes >= MAX_FILE_BYTES) await this.#seal(open);
  }

  /** Writes the entries of a batch behind what counts; undefined: that cannot be done; `moved`: they are not what is stored. */
  async #write(files: ArchiveFiles, topic: ArchivedTopic, { entries }: Batch) {
    if (this.#guard.isWaiting) return undefined;
    const { store, log } = this.#options;
    const positions = entries.map(({ position }) => position);
    const open = this.#open.get(topic.topicId) ?? (await this.#begin(files, topic, positions[0] ?? 0));
    await store.prepare(open.id, positions);
    const lines = await this.#lines(await log.readAt(positions));
    if (lines.length !== positions.length) return 'moved';
    const appended = await this.#guard.run(() => open.file.append(lines));
    if (appended !== undefined) return { open, extent: appended.value };
    this.#options.metrics.archiveFailures.inc();
    this.#drop(open);
    return undefined;
  }

  async #begin(files: ArchiveFiles, topic: ArchivedTopic, firstPosition: number): Promise<Open> {
    const { store, instance, clock } = this.#options;
    const { topicId, context, name } = topic;
    const file = files.grow({ context, topic: name, firstPosition });
    const id = await store.begin({ name: file.name, topicId, instance: instance.id });
    const open = { id, topic, file, sealAtMs: clock.monotonicMs() + MAX_AGE_MS };
    this.#open.set(topicId, open);
    return open;
  }

  async #lines(entries: readonly LogEntry[]): Promise<readonly ArchivedLine[]> {
    const { slices, lineOf } = this.#options;
    const lines: ArchivedLine[] = [];
    const look = (entry: LogEntry) => {
      lines.push(lineOf(entry));
      return true;
    };
    await slices.each(CALLER, { items: entries, bytesOf: entryBytes, look });
    return lines;
  }

  async #sealAll(): Promise<void> {
    await this.#turn.run(CALLER, async () => {
      for (const open of [...this.#open.values()]) await this.#seal(open);
    });
  }

  /** What cannot be sealed is finished later. */
  async #seal(open: Open): Promise<void> {
    this.#drop(open);
    if (open.file.extent === undefined) return;
    const at: Micros = this.#options.clock.nowMs() * 1_000;
    const sealed = await this.#guard.run(() => open.file.seal(at));
    if (sealed === undefined) return;
    await this.#options.store.sealed(open.id, sealed.value, at).then(
      () => this.#unfinished.remove(open.id),
      () => {},
    );
  }

  #drop(open: Open): void {
    this.#open.delete(open.topic.topicId);
    this.#unfinished.add(open.id);
  }

  async #hold({ topicId }: ArchivedTopic): Promise<void> {
    const { store, instance } = this.#options;
    const hasNone = this.#options.files === undefined;
    if (hasNone && !this.#isToldOfNone) this.#tell(NO_DIRECTORY);
    this.#isToldOfNone = hasNone;
    const problem = hasNone ? NO_DIRECTORY : this.#guard.problem;
    if (problem === undefined) return;
    await store.setHold(topicId, { problem, instance: instance.address });
    this.#held.add(topicId);
    this.#problem = problem;
  }

  /** Takes note of what other instances say, and takes back what was said of topics that are not archived any more. */
  async #lookAtHolds(): Promise<void> {
    const { store } = this.#options;
    const holds = await store.holds();
    this.#held = new Set(holds.keys());
    for (const [topicId, { problem }] of holds) {
      this.#problem = problem;
      if ((await store.topic(topicId)) !== undefined) continue;
      await store.setHold(topicId, undefined);
      this.#held.delete(topicId);
    }
  }

  #tell(problem: string | undefined): void {
    const { logger, files } = this.#options;
    const directory = files?.path ?? '';
    if (problem === undefined) {
      logger.info({ directory }, 'archives can be written again');
      return;
    }
    logger.warn(
      { directory, problem },
      'archives cannot be written: what they are to have is not deleted until they can',
    );
  }
}
