// The parts that delete what topics do not keep.

import { productVersion } from '../cli/commands/product-version.js';
import type { EventDraft } from '../domain/events/event.js';
import { ArchivedDeletion } from '../engine/archive/archived-deletion.js';
import type { Pushes } from '../engine/group/pushes.js';
import { ClockWatch } from '../engine/retention/clock-watch.js';
import { clockCondition, type DeletionCondition } from '../engine/retention/deletion-condition.js';
import { DeletionPace } from '../engine/retention/deletion-pace.js';
import { EntryDeletion } from '../engine/retention/entry-deletion.js';
import { Retention } from '../engine/retention/retention.js';
import { RetentionReport } from '../engine/retention/retention-report.js';
import { StreamDeletion } from '../engine/retention/stream-deletion.js';
import { SurplusDeletion } from '../engine/retention/surplus-deletion.js';
import { SurplusReport } from '../engine/retention/surplus-report.js';
import { TopicDeletion } from '../engine/retention/topic-deletion.js';
import type { TopicStanding } from '../engine/retention/topic-standings.js';
import { UnpassedEvents } from '../engine/retention/unpassed.js';
import { UnreadWarnings } from '../engine/retention/unread-warnings.js';
import { ArchiveDirectory } from '../storage/archive/archive-directory.js';
import { archivedLine } from '../storage/archive/archived-lines.js';
import { UnreadEvents } from '../storage/mysql/consumers/unread-events.js';
import { MysqlRetentionStore } from '../storage/mysql/retention/retention-store.js';
import { MysqlStreamCounts } from '../storage/mysql/retention/stream-counts.js';
import { MysqlTruncationStore } from '../storage/mysql/retention/truncation-store.js';
import type { EndedRuns, Instance } from '../storage/ports/log-storage.js';
import type { RetentionStore } from '../storage/ports/retention-storage.js';
import type { NamedValue } from '../telemetry.js';
import type { Micros } from '../units.js';
import type { DatabaseHandle } from './database.js';
import type { LogParts } from './log.js';
import type { Started } from './started.js';
import type { Surroundings } from './surroundings.js';

export interface RetentionPartsOptions {
  readonly surroundings: Surroundings;
  readonly handle: DatabaseHandle;
  readonly instance: Instance;
  /** Former runs of the instance; undefined: none is known. */
  readonly endedRuns: EndedRuns | undefined;
  readonly log: LogParts;
  readonly pushes: Pick<Pushes, 'push'>;
}

export class RetentionParts {
  readonly store: RetentionStore;
  readonly report: RetentionReport;
  readonly #retention: Retention;
  readonly #archive: ArchivedDeletion;
  readonly #options: RetentionPartsOptions;

  constructor(options: RetentionPartsOptions) {
    const { surroundings, handle, instance, endedRuns, log: parts, pushes } = options;
    const { clock, random, metrics, logger, config } = surroundings;
    const { database } = handle;
    const { names, log, slices, groupCommit, tail, archives } = parts;
    const unread = new UnreadEvents({ database, names, slices, monotonicMs: () => clock.monotonicMs() });
    const store = new MysqlRetentionStore({ database, topics: parts.retentionTopics, unread });
    const unpassed = new UnpassedEvents({ store, log, slices });
    const writer = { instance: instance.id, serverVersion: productVersion() };
    this.#archive = new ArchivedDeletion({
      ...{ deletions: store, store: archives, log, slices, lineOf: archivedLine, instance, endedRuns },
      files: config.archiveDir === '' ? undefined : new ArchiveDirectory({ path: config.archiveDir, writer }),
      ...{ metrics, clock, random, logger },
    });
    const deletions = this.#archive;
    const pace = new DeletionPace();
    const counts = new MysqlStreamCounts({ database });
    const entries = new EntryDeletion({ store, deletions });
    const deletion = new TopicDeletion({ store, counts, unpassed, deletion: entries, pace });
    const surplus = new SurplusDeletion({ counts, unpassed, deletion: entries, clock, pace });
    const truncations = new MysqlTruncationStore({ database });
    const streams = new StreamDeletion({ store, truncations, deletions, clock, pace });
    const push = (draft: EventDraft) => pushOwn(pushes, draft);
    const warnings = new UnreadWarnings({ store, log, push, logger });
    const watch = new ClockWatch({ store, clock, logger });
    this.#options = options;
    this.store = store;
    this.report = new RetentionReport({
      ...{ store, archives, unpassed, log, groupCommit, management: parts.management, watch },
      surplus: new SurplusReport({ store, counts, unpassed }),
    });
    const pushed = () => ({ ...groupCommit.times, head: tail.visible });
    this.#retention = new Retention({
      ...{ store, deletion, surplus, streams, warnings, watch, pace, pushes: pushed },
      ...{ instanceId: instance.id, metrics, clock, logger },
    });
    metrics.retentionStopped.ask = () => (clockCondition(watch.known) === undefined ? 0 : 1);
    metrics.retentionLag.ask = () => lags(this.#retention.standings());
    metrics.retentionHeld.ask = () => holds(this.#retention.standings());
  }

  /** How the deletion is. */
  get condition(): DeletionCondition {
    const deletion = this.#retention.condition;
    return deletion.state === 'down' ? deletion : (this.#archive.condition ?? deletion);
  }

  /** Starts deleting. The log has to be started, and what looks at every entry of it. */
  async start(started: Started): Promise<void> {
    const { endedRuns, surroundings } = this.#options;
    if (endedRuns !== undefined) await this.store.releaseEnded(endedRuns);
    started.add('archives', () => this.#archive.stop());
    this.#archive.start();
    this.#retention.start();
    started.add('retention', () =>
      this.#retention.stop().catch((error: unknown) => {
        surroundings.logger.warn({ err: error }, 'the deletion of events was not handed on');
      }),
    );
  }
}

function* lags(standings: Iterable<TopicStanding>): Generator<NamedValue<'context' | 'topic'>> {
  for (const { context, name: topic, overdue } of standings)
    yield { labels: { context, topic }, value: seconds(overdue) };
}

function* holds(
  standings: Iterable<TopicStanding>,
): Generator<NamedValue<'context' | 'topic' | 'consumer_context' | 'consumer'>> {
  for (const { context, name: topic, overdue, heldBy } of standings) {
    for (const { context: consumer_context, name: consumer } of heldBy)
      yield { labels: { context, topic, consumer_context, consumer }, value: seconds(overdue) };
  }
}

function seconds(micros: Micros): number {
  return micros / 1_000_000;
}

/** Stores an event of the server's own, unless one of its message id is stored. */
async function pushOwn(pushes: Pick<Pushes, 'push'>, draft: EventDraft): Promise<void> {
  const [result] = await pushes.push([{ draft, expectedSequence: undefined }], false);
  if (result?.kind === 'refused' && result.error.reason !== 'MESSAGE_ID_REUSED') throw result.error;
}
