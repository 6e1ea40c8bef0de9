// Tells, some time before, that events are about to go which a durable consumer has not passed: one event for each consumer, topic and day,
// and one more once the consumer was moved, on the topic `madeleine.retention`. It looks at each topic now and then, and counts no more than it has to tell.

import { consumerCriteria } from '../../domain/consumers/consumer.js';
import { storedRanges } from '../../domain/consumers/position-ranges.js';
import type { EventDraft } from '../../domain/events/event.js';
import { ageOf, createdBefore } from '../../domain/retention/log-time.js';
import { MAX_HELD_MICROS, RetentionMode } from '../../domain/retention/retention-policy.js';
import { type UnreadWarning, warningDraft, warningMicros } from '../../domain/retention/unread-warning.js';
import type { EventLog } from '../../storage/ports/log-storage.js';
import type {
  ConsumerBehind,
  RetentionClock,
  RetentionStore,
  RetentionTopic,
} from '../../storage/ports/retention-storage.js';
import type { Logger } from '../../telemetry.js';
import type { Micros, Position } from '../../units.js';

/** Consumers that are looked at for one topic at a time. */
const MAX_CONSUMERS = 100;
/** Events that are counted of one consumer. */
const MAX_COUNTED = 1_000;

/** Pushes an event of the server's own; a repeated message id is no failure. */
export type PushWarning = (draft: EventDraft) => Promise<void>;

export interface UnreadWarningsOptions {
  readonly store: Pick<RetentionStore, 'behind'>;
  readonly log: Pick<EventLog, 'positionAt' | 'readPositions' | 'readAt'>;
  readonly push: PushWarning;
  readonly logger: Logger;
}

export class UnreadWarnings {
  readonly #options: UnreadWarningsOptions;
  /** The day in which it was told last, by topic, consumer and its generation. */
  #told = new Map<string, number>();
  #day = 0;
  /** The consumer after which the next look at a topic goes on. */
  readonly #after = new Map<number, number>();

  constructor(options: UnreadWarningsOptions) {
    this.#options = options;
  }

  /** Looks at one topic, and tells what was not told today. */
  async look(topic: RetentionTopic, { now, leapt }: Pick<RetentionClock, 'now' | 'leapt'>): Promise<void> {
    const { policy } = topic;
    const ahead = warningMicros(policy.unreadWarning);
    if (policy.isEphemeral === true || policy.ageMicros === undefined || ahead === undefined) return;
    this.#turnTo(Math.floor(now / 86_400_000_000));
    const kept = policy.ageMicros + (policy.mode === RetentionMode.HOLD ? MAX_HELD_MICROS : 0);
    const { store, log, logger } = this.#options;
    const goes = createdBefore(now, kept - ahead, leapt);
    const upTo = goes < 0 ? 0 : await log.positionAt(goes);
    if (upTo === 0) return;
    const behind = await store.behind(topic, upTo);
    for (const consumer of this.#turn(topic, behind)) {
      const warning = await this.#warning(topic, consumer, { upTo, kept, now, leapt });
      if (warning === undefined) continue;
      this.#told.set(keyOf(topic, consumer), this.#day);
      await this.#options.push(warningDraft(warning)).catch((error: unknown) => {
        this.#told.delete(keyOf(topic, consumer));
        logger.warn({ err: error, consumer: consumer.name }, 'a warning of events that expire unread was not stored');
      });
    }
  }

  #turnTo(day: number): void {
    if (day === this.#day) return;
    this.#day = day;
    this.#told = new Map();
  }

  /** The consumers whose turn it is, of those who were not told today. */
  #turn(topic: RetentionTopic, behind: readonly ConsumerBehind[]): readonly ConsumerBehind[] {
    const after = this.#after.get(topic.topicId) ?? 0;
    const open = behind.filter((consumer) => !this.#told.has(keyOf(topic, consumer)));
    const next = open.filter(({ id }) => id > after).slice(0, MAX_CONSUMERS);
    this.#after.set(topic.topicId, next.length < MAX_CONSUMERS ? 0 : (next.at(-1)?.id ?? 0));
    return next;
  }

  /** What a consumer is about to lose; undefined: nothing. */
  async #warning(
    topic: RetentionTopic,
    consumer: ConsumerBehind,
    {
      upTo,
      kept,
      now,
      leapt,
    }: { readonly upTo: Position; readonly kept: Micros } & Pick<RetentionClock, 'now' | 'leapt'>,
  ): Promise<UnreadWarning | undefined> {
    const { log } = this.#options;
    const criteria = { ...consumerCriteria(consumer, consumer.settings), context: topic.context, topics: [topic.name] };
    const page = await log.readPositions(criteria, { after: consumer.offset, upTo, limit: MAX_COUNTED });
    const done = storedRanges(consumer.acked);
    const open = page.positions.filter((position) => !done.has(position));
    const [first] = open;
    if (first === undefined) return undefined;
    const [entry] = await log.readAt([first]);
    if (entry === undefined) return undefined;
    return {
      ...{ consumerId: consumer.id, generation: consumer.generation },
      ...{ context: consumer.context, consumer: consumer.name },
      ...{ topicContext: topic.context, topicId: topic.topicId, topic: topic.name },
      ...{ events: open.length, isMinimum: page.scannedTo < upTo, firstPosition: first },
      ...{ goesAt: now + kept - ageOf(entry.createdAt, now, leapt), now },
    };
  }
}

function keyOf({ topicId }: RetentionTopic, { id, generation }: ConsumerBehind): string {
  return `${topicId} ${id} ${generation}`;
}
