// A log whose topics keep only so much in each stream, and what a naive model says that is left of it, step by step.

import { EntryKind } from '../../../src/domain/events/event.js';
import { RetentionMode } from '../../../src/domain/retention/retention-policy.js';
import { limitsOf } from '../../../src/domain/retention/stream-limits.js';
import type { Database } from '../../../src/storage/mysql/sql/database.js';
import type { RetentionTopic } from '../../../src/storage/ports/retention-storage.js';
import type { RandomChoices } from '../random.js';
import { DAY, isUnpassed, type ModelEntry, makeWorld, NOW, storeWorld, type World } from './retention-world.js';

/** The withdrawal of an event, at its own position. */
interface Withdrawal {
  readonly position: number;
  readonly of: ModelEntry;
  readonly at: number;
}

export interface LimitsWorld extends World {
  readonly withdrawals: readonly Withdrawal[];
  /** What comes after this position comes later, without cawins. */
  readonly half: number;
}

const TOPIC_IDS: Readonly<Record<string, number>> = { orders: 1, invoices: 2, held: 3, permanent: 4 };

export function anyLimits(choices: RandomChoices): readonly RetentionTopic[] {
  const limits = () => limitsOf(choices.of([0, 1, 2, 3, 5]), choices.of([0, 1, 60, 150, 400]));
  const topic = (name: string, mode: RetentionMode, ageMicros?: number) => ({
    ...{ name, context: 'default', topicId: TOPIC_IDS[name] as number },
    policy: { ageMicros, mode, unreadWarning: 'none', streamLimits: limits() },
  });
  return [
    topic('orders', RetentionMode.EXPIRE),
    topic('invoices', RetentionMode.EXPIRE, choices.of([DAY, 40 * DAY, undefined])),
    topic('held', RetentionMode.HOLD, choices.of([10 * DAY, undefined])),
  ];
}

/** Where positions are free, events before are withdrawn. */
export function makeLimitsWorld(choices: RandomChoices): LimitsWorld {
  const made = makeWorld(choices);
  const half = choices.between(0, made.entries.at(-1)?.position ?? 0);
  const entries = made.entries.map((entry) =>
    entry.position > half ? { ...entry, cawins: [], endedId: undefined } : entry,
  );
  const world = { ...made, entries };
  const taken = new Set(world.entries.map(({ position }) => position));
  const last = world.entries.at(-1)?.position ?? 0;
  const withdrawn = new Set<ModelEntry>();
  const withdrawals: Withdrawal[] = [];
  for (let position = 1; position < last; position += 1) {
    const isFree = (entry: ModelEntry) => entry.position < position && !entry.withdraws && !withdrawn.has(entry);
    const before = world.entries.filter(isFree);
    if (taken.has(position) || before.length === 0) continue;
    const of = choices.of(before) as ModelEntry;
    withdrawn.add(of);
    const at = Math.max(...world.entries.filter((entry) => entry.position < position).map((entry) => entry.at));
    withdrawals.push({ position, of, at });
  }
  return { ...world, withdrawals, half, topics: anyLimits(choices) };
}

/** Writes down what of the world lies up to a position. */
export async function storeLimitsWorld(database: Database, world: LimitsWorld, upTo: number): Promise<void> {
  await storeWorld(database, { ...world, entries: world.entries.filter(({ position }) => position <= upTo) });
  await storeWithdrawals(database, world, 0, upTo);
  await moveHead(database, upTo);
}

/** Writes down what comes after a position, of events only their entries. */
export async function storeMore(database: Database, world: LimitsWorld, after: number): Promise<void> {
  for (const entry of world.entries.filter(({ position }) => position > after)) {
    await database.query(
      `INSERT INTO log (position, kind, event_id, context_id, topic_id, stream_id, message_id, digest, created_at, version, subject,
         issuer, tag, payload_bytes, payload, envelope) VALUES (?, ?, ?, 1, ?, ?, ?, ?, ?, 1, 0, 'shop', ?, ?, ?, ?)`,
      [
        ...[entry.position, entry.withdraws ? EntryKind.INVALIDATED : EntryKind.OCCURRED, entry.position],
        ...[TOPIC_IDS[entry.topic] as number, streamIdOf(entry), entry.messageId],
        ...[entry.isGiven ? Buffer.alloc(32, 1) : null, entry.at, Buffer.from(entry.tag)],
        ...(entry.withdraws ? [0, null, '{"occurredAt":1}'] : [entry.payload.length, Buffer.from(entry.payload), null]),
      ],
    );
  }
  await storeWithdrawals(database, world, after, Number.POSITIVE_INFINITY);
  await moveHead(database, world.entries.at(-1)?.position ?? 0);
}

/** The newest entry of all is no concern here. */
async function moveHead(database: Database, position: number): Promise<void> {
  await database.query('UPDATE log_head SET position = ?', [position + 1]);
  await database.query('UPDATE firing_cursor SET position = ?', [position + 1]);
}

async function storeWithdrawals(database: Database, world: LimitsWorld, after: number, upTo: number): Promise<void> {
  for (const { position, of, at } of world.withdrawals) {
    if (position <= after || position > upTo) continue;
    await database.query(
      `INSERT INTO log (position, kind, event_id, context_id, topic_id, stream_id, created_at, version, subject, issuer, payload_bytes,
         envelope) VALUES (?, ?, ?, 1, ?, ?, ?, 1, 0, 'shop', 0, '{"occurredAt":1}')`,
      [position, EntryKind.INVALIDATED, of.position, TOPIC_IDS[of.topic] as number, streamIdOf(of), at],
    );
  }
}

function streamIdOf({ stream }: ModelEntry): number | null {
  return stream === undefined ? null : stream === 's1' ? 1 : 2;
}

interface Item {
  readonly position: number;
  readonly entry: ModelEntry;
  /** Whether it withdraws something. */
  readonly isWithdrawal: boolean;
  /** Whether that is the entry. */
  readonly isOfEntry: boolean;
  readonly at: number;
}

/** What is left, and told, once nothing is due any more. */
export class LimitsModel {
  readonly #world: LimitsWorld;
  readonly #gone = new Set<number>();
  readonly #kept = new Set<number>();
  readonly #unread = new Map<number, number>();
  #areCallbacksMade = false;

  constructor(world: LimitsWorld) {
    this.#world = world;
  }

  /** From now on no callback is to be made. */
  makeCallbacks(): void {
    this.#areCallbacksMade = true;
  }

  /** What the topics do to what lies up to a position; `settledTo`: what may go. */
  step(topics: readonly RetentionTopic[], upTo: number, settledTo: number): void {
    for (const topic of topics) {
      const all = this.#itemsOf(topic.name, upTo);
      for (const stream of ['s1', 's2']) this.#limit(topic, stream, { upTo, settledTo });
      if (topic.policy.ageMicros !== undefined) this.#age(topic, all, settledTo);
    }
    for (const topic of topics) this.#lookAtKept(topic, upTo, settledTo);
  }

  stored(upTo: number): readonly number[] {
    const positions = [...this.#world.entries, ...this.#world.withdrawals].map(({ position }) => position);
    return positions.filter((one) => one <= upTo && !this.#gone.has(one)).sort((a, b) => a - b);
  }

  get kept(): readonly number[] {
    return [...this.#kept].sort((a, b) => a - b);
  }

  get unread(): readonly (readonly [number, number])[] {
    return [...this.#unread].sort(([a], [b]) => a - b);
  }

  /** Events and bytes that are counted of each stream of a topic, of those that are limited. */
  counts(topics: readonly RetentionTopic[], upTo: number, settledTo: number): readonly (readonly number[])[] {
    return topics
      .filter(({ policy }) => policy.streamLimits !== undefined)
      .flatMap(({ name, topicId }) =>
        [1, 2].map((streamId) => {
          const counted = this.#counted(name, `s${streamId}`, upTo, settledTo);
          return [topicId, streamId, counted.length, counted.reduce((sum, { entry }) => sum + entry.payload.length, 0)];
        }),
      )
      .filter(([, , events]) => events !== 0);
  }

  #itemsOf(topic: string, upTo: number): readonly Item[] {
    const { entries, withdrawals } = this.#world;
    return [
      ...entries.map((entry) => ({ ...entry, entry, isWithdrawal: entry.withdraws, isOfEntry: false })),
      ...withdrawals.map(({ position, of, at }) => ({ position, entry: of, isWithdrawal: true, isOfEntry: true, at })),
    ]
      .filter(({ entry, position }) => entry.topic === topic && position <= upTo && !this.#gone.has(position))
      .sort((a, b) => a.position - b.position);
  }

  /** Events that count: one more than is settled. */
  #counted(topic: string, stream: string, upTo: number, settledTo: number): readonly Item[] {
    return this.#itemsOf(topic, Math.min(upTo, settledTo + 1)).filter(
      ({ entry, isWithdrawal, position }) => entry.stream === stream && !isWithdrawal && !this.#kept.has(position),
    );
  }

  #limit(
    { name, policy }: RetentionTopic,
    stream: string,
    { upTo, settledTo }: { readonly upTo: number; readonly settledTo: number },
  ): void {
    const all = this.#itemsOf(name, upTo);
    if (policy.streamLimits === undefined) return;
    const { maxEvents, maxBytes } = policy.streamLimits;
    const newestFirst = [...this.#counted(name, stream, upTo, settledTo)].reverse();
    const bytesTo = (index: number) =>
      newestFirst.slice(0, index + 1).reduce((sum, { entry }) => sum + entry.payload.length, 0);
    const first = newestFirst.findIndex((_, index) => index > 0 && (index >= maxEvents || bytesTo(index) > maxBytes));
    const boundary = newestFirst[first]?.position ?? 0;
    for (const item of all.filter(({ entry, position }) => entry.stream === stream && position <= boundary)) {
      if (this.#gone.has(item.position) || this.#kept.has(item.position)) continue;
      const isOverdue = policy.mode === RetentionMode.EXPIRE || NOW - item.at >= 30 * DAY;
      if (!isOverdue && this.#unpassed(item).length > 0) break;
      this.#take(item);
    }
  }

  #age({ policy }: RetentionTopic, all: readonly Item[], settledTo: number): void {
    const age = policy.ageMicros as number;
    for (const item of all.filter(({ position }) => position <= settledTo)) {
      if (this.#gone.has(item.position)) continue;
      if (NOW - item.at < age) break;
      const isOverdue = policy.mode === RetentionMode.EXPIRE || NOW - item.at >= age + 30 * DAY;
      if (!isOverdue && this.#unpassed(item).length > 0) break;
      this.#take(item);
    }
  }

  #lookAtKept({ name, policy }: RetentionTopic, upTo: number, settledTo: number): void {
    const all = this.#itemsOf(name, upTo).filter(({ position }) => this.#kept.has(position));
    const { streamLimits: limits, ageMicros = Number.POSITIVE_INFINITY } = policy;
    const isTooMany = ({ entry, isWithdrawal }: Item) => {
      if (entry.stream === undefined || limits === undefined) return false;
      const counted = this.#counted(name, entry.stream, upTo, settledTo);
      const bytes = counted.reduce((sum, one) => sum + one.entry.payload.length, entry.payload.length);
      if (counted.length === 0) return false;
      return isWithdrawal || counted.length + 1 > limits.maxEvents || bytes > limits.maxBytes;
    };
    for (const item of all.filter((one) => NOW - one.at >= ageMicros || isTooMany(one))) {
      const since = NOW - item.at >= ageMicros ? ageMicros : 0;
      const isOverdue = policy.mode === RetentionMode.EXPIRE || NOW - item.at >= since + 30 * DAY;
      if (!isOverdue && this.#unpassed(item).length > 0) continue;
      this.#kept.delete(item.position);
      this.#take(item);
    }
  }

  #take(item: Item): void {
    if (this.#stays(item)) {
      this.#kept.add(item.position);
      return;
    }
    this.#kept.delete(item.position);
    this.#gone.add(item.position);
    const losers = this.#world.consumers.filter(
      (one) => this.#unpassed(item).includes(one) || (!one.isEphemeral && one.parked.has(item.position)),
    );
    for (const { id } of losers) this.#unread.set(id, (this.#unread.get(id) ?? 0) + 1);
  }

  #stays({ position, entry, isOfEntry }: Item): boolean {
    if (entry.cawins.includes(true) && !this.#areCallbacksMade) return true;
    if (isOfEntry) return this.#kept.has(entry.position);
    return this.#world.consumers.some(({ parked }) => (parked.get(position) ?? 0) > NOW - 90 * DAY);
  }

  /** What withdraws an event of the world has no tag of its own. */
  #unpassed({ position, entry, isOfEntry }: Item) {
    const own = isOfEntry ? { ...entry, position, tag: '', withdraws: true } : entry;
    return this.#world.consumers.filter((one) => isUnpassed(one, own));
  }
}
