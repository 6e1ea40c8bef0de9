// Deletes the events of truncated streams, a batch at a time: as retention deletes, whatever consumers have passed, as that was decided.

import { REPEAT_MICROS } from '../../domain/retention/retention-policy.js';
import type { Clock } from '../../lib/clock.js';
import type { Deletions, RetentionHold, RetentionStore } from '../../storage/ports/retention-storage.js';
import type { TruncatedEntry, TruncatedStream, TruncationStore } from '../../storage/ports/truncation-storage.js';
import type { Millis, Position } from '../../units.js';
import { BATCH_BYTES, type BatchPace } from './deletion-pace.js';
import { goneOf } from './entry-deletion.js';

/** How long a stream waits of which something stays, as a callback on it is still to be made. */
const KEPT_MS: Millis = 60_000;
/** How long a stream waits of which something cannot be archived. */
const HELD_MS: Millis = 10_000;

/** What went of a topic. */
export interface GoneEntries {
  readonly context: string;
  readonly name: string;
  readonly goneEntries: number;
  readonly goneBytes: number;
}

/** What one look did. */
export interface StreamLook {
  /** False: the hold is lost. */
  readonly isHeld: boolean;
  readonly gone: readonly GoneEntries[];
}

export interface StreamDeletionOptions {
  readonly store: Pick<RetentionStore, 'clock' | 'settledTo' | 'endCallbacks' | 'expectRepeats'>;
  readonly truncations: TruncationStore;
  readonly deletions: Pick<Deletions, 'delete'>;
  readonly clock: Clock;
  readonly pace: BatchPace;
}

/** How far one truncation is. */
interface Progress {
  readonly upTo: number;
  after: Position;
  /** Whether something before that stayed. */
  keeps: boolean;
  lookAtMs: Millis;
}

const NOTHING: StreamLook = { isHeld: true, gone: [] };

export class StreamDeletion {
  readonly #options: StreamDeletionOptions;
  #progress = new Map<number, Progress>();

  constructor(options: StreamDeletionOptions) {
    this.#options = options;
  }

  /** Forgets where truncations are: another instance may have deleted since. */
  forget(): void {
    this.#progress.clear();
  }

  /** Deletes the next entries of a truncated stream, if there is one. */
  async look(hold: RetentionHold): Promise<StreamLook> {
    const open = await this.#options.truncations.open();
    this.#progress = new Map(open.map((stream) => [stream.streamId, this.#progressOf(stream)]));
    const now = this.#options.clock.monotonicMs();
    const next = open.find(({ streamId }) => (this.#progress.get(streamId)?.lookAtMs ?? 0) <= now);
    return next === undefined ? NOTHING : this.#lookAt(hold, next, this.#progressOf(next));
  }

  #progressOf({ streamId, upTo }: TruncatedStream): Progress {
    const known = this.#progress.get(streamId);
    return known?.upTo === upTo ? known : { upTo, after: 0, keeps: false, lookAtMs: 0 };
  }

  async #lookAt(hold: RetentionHold, stream: TruncatedStream, progress: Progress): Promise<StreamLook> {
    const { store, truncations } = this.#options;
    const end = await truncations.end(stream);
    if (end === undefined || progress.after >= end) return this.#ended(stream, progress);
    // What the server itself has still to look at must not go.
    const upTo = Math.min(end, await store.settledTo());
    const page = { after: progress.after, upTo, limit: this.#options.pace.batch, maxBytes: BATCH_BYTES };
    const entries = await truncations.entries(stream.streamId, page);
    const last = entries.at(-1);
    if (last === undefined) {
      if (upTo < end) return this.#later(progress, 1_000);
      return this.#ended(stream, progress);
    }
    const { gone, outcome } = await this.#delete(hold, entries, progress);
    if (outcome === 'lost') return { ...NOTHING, isHeld: false };
    if (outcome === 'held') this.#later(progress, HELD_MS);
    else progress.after = last.position;
    return { isHeld: true, gone };
  }

  async #ended(stream: TruncatedStream, progress: Progress): Promise<StreamLook> {
    if (!progress.keeps) {
      await this.#options.truncations.done(stream);
      return NOTHING;
    }
    progress.keeps = false;
    progress.after = 0;
    return this.#later(progress, KEPT_MS);
  }

  #later(progress: Progress, ms: Millis): StreamLook {
    progress.lookAtMs = this.#options.clock.monotonicMs() + ms;
    return NOTHING;
  }

  /** Deletes the entries, each topic's in a transaction. */
  async #delete(
    hold: RetentionHold,
    entries: readonly TruncatedEntry[],
    progress: Progress,
  ): Promise<{ readonly gone: readonly GoneEntries[]; readonly outcome: 'done' | 'lost' | 'held' }> {
    const { store, deletions } = this.#options;
    const ledgerAfter = Math.max(0, (await store.clock()).now - REPEAT_MICROS);
    if (entries.some(({ createdAt }) => createdAt > ledgerAfter)) await store.expectRepeats();
    const kept = new Set((await store.endCallbacks(hold, entries)).map(({ position }) => position));
    if (kept.size > 0) progress.keeps = true;
    const gone: GoneEntries[] = [];
    let outcome: 'done' | 'held' = 'done';
    for (const [topicId, all] of byTopic(entries.filter(({ position }) => !kept.has(position)))) {
      const [{ context, topic }] = all;
      const batch = { topicId, entries: all, keeps: [], lookedTo: undefined, moves: undefined, ledgerAfter };
      const deleted = await deletions.delete(hold, batch);
      if (deleted === 'lost') return { gone, outcome: 'lost' };
      if (deleted !== 'deleted') {
        outcome = 'held';
        continue;
      }
      gone.push({ context, name: topic, ...goneOf(all) });
    }
    return { gone, outcome };
  }
}

type OfTopic = [TruncatedEntry, ...TruncatedEntry[]];

function byTopic(entries: readonly TruncatedEntry[]): ReadonlyMap<number, OfTopic> {
  const topics = new Map<number, OfTopic>();
  for (const entry of entries) {
    const known = topics.get(entry.topicId);
    if (known === undefined) topics.set(entry.topicId, [entry]);
    else known.push(entry);
  }
  return topics;
}
