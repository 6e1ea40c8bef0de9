// How far the deletion is with each topic, and who holds it up, as the instance that deletes found when it looked last.

import type { ConsumerKey } from '../../domain/consumers/consumer.js';
import type { RetentionTopic } from '../../storage/ports/retention-storage.js';
import type { Micros } from '../../units.js';
import type { LookResult } from './topic-deletion.js';

export interface TopicStanding {
  readonly context: string;
  readonly name: string;
  /** How long the oldest event is due that is still there; 0: none is. */
  readonly overdue: Micros;
  /** The consumers that hold it. */
  readonly heldBy: readonly ConsumerKey[];
}

export class TopicStandings {
  readonly #topics = new Map<number, TopicStanding>();

  note({ topicId, context, name }: RetentionTopic, { overdue, held }: Pick<LookResult, 'overdue' | 'held'>): void {
    const heldBy = (held?.by ?? []).map(({ consumer }) => ({ context: consumer.context, name: consumer.name }));
    this.#topics.set(topicId, { context, name, overdue, heldBy });
  }

  /** Forgets topics that keep everything by now. */
  keepOnly(topics: readonly RetentionTopic[]): void {
    if (this.#topics.size === 0) return;
    const kept = new Set(topics.map(({ topicId }) => topicId));
    for (const topicId of this.#topics.keys()) if (!kept.has(topicId)) this.#topics.delete(topicId);
  }

  forget(): void {
    this.#topics.clear();
  }

  /** All topics, in the order in which they were looked at first. */
  all(): Iterable<TopicStanding> {
    return this.#topics.values();
  }

  /** Whether something due is still there. */
  get isBehind(): boolean {
    return [...this.#topics.values()].some(({ overdue }) => overdue > 0);
  }

  /** Topics of which something due is held, that first which is held longest. */
  held(): readonly TopicStanding[] {
    return [...this.#topics.values()]
      .filter(({ heldBy }) => heldBy.length > 0)
      .sort((one, other) => other.overdue - one.overdue);
  }
}
