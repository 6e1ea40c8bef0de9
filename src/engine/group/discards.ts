// Events that are pushed to topics which nobody registered, and discarded: they are counted, and the last ones are kept as samples, so that
// somebody can find out who pushes what. Samples are written aside, within a second: no push waits for them, and what an instance had of
// the last second when it was killed is not kept.

import type { EventDraft, LogEntry } from '../../domain/events/event.js';
import { EntryKind } from '../../domain/events/event.js';
import type { Push } from '../../domain/group/group-plan-types.js';
import { unregistered } from '../../domain/group/unregistered-pushes.js';
import { scopedKey } from '../../domain/names.js';
import type { UnregisteredTopics } from '../../domain/topics/context-settings.js';
import type { Clock, Timer } from '../../lib/clock.js';
import { SharedRun } from '../../lib/shared-run.js';
import type { DiscardStore, NewSample } from '../../storage/ports/topic-storage.js';
import type { Logger, Metrics } from '../../telemetry.js';
import type { Millis } from '../../units.js';
import type { ShapeCatalogCache } from './shape-catalog-cache.js';

/** Samples of one topic that are kept, and of all together. */
export const TOPIC_SAMPLES = 10;
export const ALL_SAMPLES = 1_000;
/** Bytes of a payload, or of a description, that a sample has at most. */
export const SAMPLE_BYTES = 4 * 1024;
/** Topics of which samples are gathered between two writes. */
const GATHERED_TOPICS = 100;
const WRITE_EVERY_MS: Millis = 1_000;

export interface DiscardsOptions {
  readonly store: DiscardStore;
  readonly catalog: Pick<ShapeCatalogCache, 'current'>;
  /** What becomes of pushes to topics that nobody registered, where their context says nothing. */
  readonly ofServer: UnregisteredTopics;
  readonly clock: Clock;
  readonly metrics: Pick<Metrics, 'discardedEvents'>;
  readonly logger: Logger;
}

export class Discards {
  readonly #options: DiscardsOptions;
  /** Samples that are to be written, the oldest first, by scopedKey of their topics. */
  #gathered = new Map<string, NewSample[]>();
  readonly #writes = new SharedRun(() => this.#write());
  #timer: Timer | undefined;

  constructor(options: DiscardsOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = this.#options.clock.every(WRITE_EVERY_MS, () => this.#writeSoon()).unref();
  }

  /** Writes what is gathered. */
  async stop(): Promise<void> {
    this.#timer?.stop();
    await this.#writes.run().catch(() => {});
  }

  /** Whether a push to the topic is not stored, as this instance knows: a group decides it. */
  isUnregistered(draft: Pick<EventDraft, 'context' | 'topic'>): boolean {
    return unregistered(draft, this.#options.catalog.current, this.#options.ofServer) !== undefined;
  }

  /** Takes note of a push that was discarded. */
  note(push: Push): void {
    const { context, topic } = push.draft;
    this.#options.metrics.discardedEvents.inc(context, topic);
    const key = scopedKey(context, topic);
    const samples = this.#gathered.get(key) ?? [];
    if (samples.length === 0 && this.#gathered.size === GATHERED_TOPICS) return;
    samples.push(sampleOf(push, this.#options.clock.nowMs()));
    if (samples.length > TOPIC_SAMPLES) samples.shift();
    this.#gathered.set(key, samples);
  }

  #writeSoon(): void {
    if (this.#gathered.size === 0 || !this.#writes.isIdle) return;
    void this.#writes
      .run()
      .catch((error) => this.#options.logger.debug({ err: error }, 'samples of what was discarded were not kept'));
  }

  async #write(): Promise<void> {
    const samples = [...this.#gathered.values()].flat();
    this.#gathered = new Map();
    if (samples.length === 0) return;
    await this.#options.store.add(samples, { ofTopic: TOPIC_SAMPLES, ofAll: ALL_SAMPLES });
  }
}

/** What is about somebody is kept without its content: nobody would find it to erase it. */
function sampleOf({ draft, messageId, digest }: Push, nowMs: Millis): NewSample {
  const { context, topic, issuer, payload } = draft;
  const isKept = draft.rest?.dataSubject === undefined;
  return {
    ...{ context, topic, issuer, messageId: digest === undefined ? '' : messageId },
    discardedAt: nowMs * 1_000,
    contentType: payload?.contentType ?? '',
    payloadBytes: payload?.bytes.byteLength ?? 0,
    // A copy: what it is a part of may be large.
    payload: payload && Buffer.from(isKept ? payload.bytes.subarray(0, SAMPLE_BYTES) : []),
    description: isKept ? draft.description?.text.slice(0, SAMPLE_BYTES) : undefined,
  };
}

/** What was discarded as an entry of no place: it has no id and no position. */
export function discardedView({ draft, messageId }: Push): LogEntry {
  const none = { position: 0, eventId: 0, sequence: 0, createdAt: 0, payload: undefined };
  return { ...draft, ...none, kind: EntryKind.AWAITED, messageId };
}
