// What is told of retention: what would go, how far it is and who holds what; and letting it go on that a leap of the clock stopped.

import { consumerCriteria } from '../../domain/consumers/consumer.js';
import { Subject } from '../../domain/events/subject.js';
import type { ManagementCall } from '../../domain/management/audit.js';
import { ALL_CONTEXTS, DEFAULT_CONTEXT } from '../../domain/names.js';
import { createdBefore } from '../../domain/retention/log-time.js';
import {
  type DueTimes,
  dueTimes,
  policyOf,
  type RetentionPolicy,
  type RetentionSettings,
  surplusTimes,
} from '../../domain/retention/retention-policy.js';
import type { ArchiveHold, ArchiveStore } from '../../storage/ports/archive-storage.js';
import type { EventLog } from '../../storage/ports/log-storage.js';
import type {
  ConsumerBehind,
  DueEntry,
  RetentionClock,
  RetentionStore,
  RetentionTopic,
  TopicPlace,
} from '../../storage/ports/retention-storage.js';
import type { Micros, Position } from '../../units.js';
import { countEvents, EXACT } from '../consumers/state/event-count.js';
import type { GroupCommit } from '../group/group-commit.js';
import type { Management } from '../group/management.js';
import { selectionOf } from '../log/log-source.js';
import type { ClockWatch } from './clock-watch.js';
import { bothHolders, type Holder, type SurplusReport } from './surplus-report.js';
import type { UnpassedEvents } from './unpassed.js';

/** Entries that a preview looks at, and how many at a time. */
const MAX_PREVIEWED = 100_000;
const PAGE = 5_000;
/** Consumers that are told of. */
const MAX_HOLDERS = 100;
/** Entries kept alone that are counted. */
export const MAX_COUNTED_KEPT = 10_000;

export interface TopicName {
  readonly context: string;
  readonly name: string;
}

export interface RetentionPreview {
  readonly events: number;
  readonly bytes: number;
  readonly isMinimum: boolean;
  readonly oldest: DueEntry | undefined;
  readonly newest: DueEntry | undefined;
  readonly notPassed: readonly Holder[];
  /** 0: nothing is held. */
  readonly heldFrom: Position;
  /** Why nothing goes at present, as the archive of the topic cannot be written. */
  readonly archiveHold: ArchiveHold | undefined;
}

/** Whether events of a topic are archived before they are deleted, and why that is not possible at present. */
interface Archiving {
  readonly isArchived: boolean;
  readonly archiveHold: ArchiveHold | undefined;
}

export interface TopicState extends RetentionTopic, Archiving {
  readonly place: TopicPlace | undefined;
  readonly oldest: DueEntry | undefined;
  /** How long the oldest one is due already; 0: it is not. */
  readonly overdue: Micros;
  readonly heldBy: readonly Holder[];
  readonly kept: { readonly parked: number; readonly callbacks: number };
}

export interface RetentionReportOptions {
  readonly store: RetentionStore;
  readonly archives: Pick<ArchiveStore, 'topic' | 'holds'>;
  readonly unpassed: UnpassedEvents;
  readonly surplus: SurplusReport;
  readonly log: Pick<EventLog, 'readPositions' | 'positionAt'>;
  readonly groupCommit: Pick<GroupCommit, 'submit'>;
  readonly management: Pick<Management, 'entry'>;
  readonly watch: Pick<ClockWatch, 'look'>;
}

const NOTHING: RetentionPreview = {
  ...{ events: 0, bytes: 0, isMinimum: false, oldest: undefined, newest: undefined },
  ...{ notPassed: [], heldFrom: 0, archiveHold: undefined },
};

export class RetentionReport {
  readonly #options: RetentionReportOptions;

  constructor(options: RetentionReportOptions) {
    this.#options = options;
  }

  /** Tells what would go of a topic with these settings. */
  async preview(topic: TopicName, settings: RetentionSettings): Promise<RetentionPreview> {
    const policy = policyOf(settings);
    const topicId = policy && (await this.#options.store.topicId(topic));
    if (policy === undefined || topicId === undefined) return NOTHING;
    const clock = await this.#options.store.clock();
    const old = await this.#old(topic, topicId, policy, clock);
    const surplus = await this.#surplus(topic, topicId, policy, { clock, after: old.newest?.position ?? 0 });
    const starts = [old, surplus].flatMap(({ heldFrom }) => (heldFrom === 0 ? [] : heldFrom));
    const events = old.events + surplus.events;
    const { archiveHold = undefined } =
      events === 0 ? {} : await this.#archiveOf(topicId, await this.#options.archives.holds());
    return {
      ...{ events, bytes: old.bytes + surplus.bytes, isMinimum: old.isMinimum || surplus.isMinimum },
      ...{ oldest: old.oldest ?? surplus.oldest, newest: surplus.newest ?? old.newest },
      notPassed: bothHolders(old.notPassed, surplus.notPassed).slice(0, MAX_HOLDERS),
      heldFrom: starts.length === 0 ? 0 : Math.min(...starts),
      archiveHold,
    };
  }

  /**
   * Returns the consumers that would lose events of the topic by their age as soon as the settings are obeyed, with how many each: what
   * is held for them they do not lose.
   */
  async losers(topic: TopicName, settings: RetentionSettings): Promise<readonly Holder[]> {
    const policy = policyOf(settings);
    if (policy?.ageMicros === undefined) return [];
    const { store, log } = this.#options;
    const { now, leapt } = await store.clock();
    const { overdue } = dueTimes(policy, now, leapt);
    // What has to be settled first goes in a moment, too.
    if (overdue < 0) return [];
    const upTo = await log.positionAt(overdue);
    return this.#notPassed(topic, await store.behind(topic, upTo), upTo);
  }

  /** Returns those that would lose events by the limits of streams, likewise. */
  async losersOf(topic: TopicName, settings: RetentionSettings): Promise<readonly Holder[]> {
    const policy = policyOf(settings);
    const { store, surplus } = this.#options;
    const topicId = await store.topicId(topic);
    if (policy?.streamLimits === undefined || topicId === undefined) return [];
    const { overdue } = surplusTimes(policy, await store.clock());
    const found = await surplus.of(topicId, policy.streamLimits, 0);
    const entries = found.entries.filter(({ createdAt }) => createdAt <= overdue);
    return (await surplus.holders(topic, { ...found, entries }, overdue)).holders;
  }

  clock(): Promise<RetentionClock> {
    return this.#options.store.clock();
  }

  /** Lists the topics that do not keep everything, by context and name in byte order, with how far retention is with each. */
  async topics(
    context: string,
    after: TopicName | undefined,
    limit: number,
    clock: RetentionClock,
  ): Promise<readonly TopicState[]> {
    const { store } = this.#options;
    const all = (await store.topics()).filter((one) => context === ALL_CONTEXTS || one.context === context);
    const page = [...all]
      .sort(byName)
      .filter((one) => after === undefined || byName(one, after) > 0)
      .slice(0, limit);
    const places = await store.places(page.map(({ topicId }) => topicId));
    const states: TopicState[] = [];
    const holds = await this.#options.archives.holds();
    for (const topic of page) {
      const archive = await this.#archiveOf(topic.topicId, holds);
      states.push({ ...(await this.#state(topic, places.get(topic.topicId), clock)), ...archive });
    }
    return states;
  }

  /** Lets deletion go on; false: nothing had stopped it. */
  async resume(call: ManagementCall): Promise<boolean> {
    const { store, groupCommit, management, watch } = this.#options;
    const { stopped, now, waitsUntil } = await store.clock();
    if (stopped === undefined && now >= waitsUntil) return false;
    const before = stopped === undefined ? 'waiting' : 'stopped';
    const audit = management.entry(call, {
      ...{ entityType: 'retention', subject: Subject.ENABLED, context: DEFAULT_CONTEXT, about: {} },
      before: { state: before, leapt_seconds: seconds(stopped?.leaptBy ?? 0) },
      after: { state: 'deleting' },
    });
    await groupCommit.submit({ kind: 'resume', audit });
    // Who asks now how the deletion is finds it going on; the other instances look within seconds.
    await watch.look().catch(() => {});
    return true;
  }

  /** What would go by its age. */
  async #old(
    topic: TopicName,
    topicId: number,
    policy: RetentionPolicy,
    clock: RetentionClock,
  ): Promise<RetentionPreview> {
    if (policy.ageMicros === undefined) return NOTHING;
    const due = await this.#due(topicId, policy, clock);
    const newest = due.last;
    if (newest === undefined) return NOTHING;
    const times = dueTimes(policy, clock.now, clock.leapt);
    const upTo = await this.#dueTo(times.due);
    const behind = await this.#options.store.behind(topic, upTo);
    const notPassed = await this.#notPassed(topic, behind, upTo);
    const first = notPassed.length === 0 ? 0 : await this.#heldFrom(topic, behind, { times, upTo });
    const { events, bytes, isMinimum, oldest } = due;
    return { ...NOTHING, events, bytes, isMinimum, oldest, newest, notPassed, heldFrom: first };
  }

  /** What would go after a position, as its streams have too much of the topic. */
  async #surplus(
    topic: TopicName,
    topicId: number,
    policy: RetentionPolicy,
    { clock, after }: { readonly clock: RetentionClock; readonly after: Position },
  ): Promise<RetentionPreview> {
    if (policy.streamLimits === undefined) return NOTHING;
    const { surplus } = this.#options;
    const found = await surplus.of(topicId, policy.streamLimits, after);
    const { entries, notLookedTo } = found;
    const { holders, first } = await surplus.holders(topic, found, surplusTimes(policy, clock).overdue);
    return {
      ...NOTHING,
      ...{ events: entries.length, isMinimum: notLookedTo > 0, oldest: entries[0], newest: entries.at(-1) },
      bytes: entries.reduce((sum, { bytes }) => sum + bytes, 0),
      ...{ notPassed: holders, heldFrom: first },
    };
  }

  /** Adds up the entries that are due, as far as it looks. */
  async #due(topicId: number, policy: RetentionPolicy, { now, leapt }: RetentionClock) {
    const { store } = this.#options;
    const { due } = dueTimes(policy, now, leapt);
    const upTo = await store.settledTo();
    const found = { events: 0, bytes: 0, isMinimum: false };
    let oldest: DueEntry | undefined;
    let last: DueEntry | undefined;
    for (let after: Position = 0; after < upTo; ) {
      const page = await store.due({ topicId, after, upTo, limit: PAGE, maxBytes: Number.MAX_SAFE_INTEGER });
      const ripe = page.entries.filter(({ createdAt }) => createdAt <= due);
      oldest ??= ripe[0];
      last = ripe.at(-1) ?? last;
      found.events += ripe.length;
      found.bytes += ripe.reduce((sum, { bytes }) => sum + bytes, 0);
      after = ripe.length < page.entries.length ? upTo : page.lookedTo;
      found.isMinimum = after < upTo && found.events >= MAX_PREVIEWED;
      if (found.isMinimum) break;
    }
    return { ...found, oldest, last };
  }

  async #dueTo(due: Micros): Promise<Position> {
    const { store, log } = this.#options;
    return due < 0 ? 0 : Math.min(await store.settledTo(), await log.positionAt(due));
  }

  /** Finds those of the consumers that have not passed all events of the topic up to a position, those with the most first. */
  async #notPassed(topic: TopicName, consumers: readonly ConsumerBehind[], upTo: Position): Promise<readonly Holder[]> {
    const holders: Holder[] = [];
    for (const consumer of consumers) {
      const { count, isMinimum } = await this.#count(topic, consumer, upTo);
      const { context, name, offset } = consumer;
      if (count > 0 || isMinimum) holders.push({ context, name, offset, events: count, isMinimum });
    }
    return holders.sort((a, b) => b.events - a.events);
  }

  #count(topic: TopicName, consumer: ConsumerBehind, upTo: Position) {
    const { log } = this.#options;
    const criteria = { ...consumerCriteria(consumer, consumer.settings), context: topic.context, topics: [topic.name] };
    return countEvents({
      source: { readPositions: (_, options) => log.readPositions(criteria, { ...options, upTo }) },
      selection: selectionOf(criteria),
      span: { after: consumer.offset, upTo, without: consumer.acked },
      effort: EXACT,
    });
  }

  async #heldFrom(
    topic: TopicName,
    consumers: readonly ConsumerBehind[],
    { times: { due, overdue }, upTo }: { readonly times: DueTimes; readonly upTo: Position },
  ): Promise<Position> {
    if (overdue >= due) return 0;
    const after = await this.#dueTo(overdue);
    const firsts = await Promise.all(
      consumers.slice(0, MAX_HOLDERS).map((one) => this.#first(topic, one, after, upTo)),
    );
    const first = Math.min(...firsts.filter((position) => position > 0));
    return Number.isFinite(first) ? first : 0;
  }

  async #first(topic: TopicName, consumer: ConsumerBehind, after: Position, upTo: Position): Promise<Position> {
    const criteria = { ...consumerCriteria(consumer, consumer.settings), context: topic.context, topics: [topic.name] };
    const from = Math.max(after, consumer.offset);
    const { positions } = await this.#options.log.readPositions(criteria, { after: from, upTo, limit: 1 });
    return positions[0] ?? 0;
  }

  async #archiveOf(topicId: number, holds: ReadonlyMap<number, ArchiveHold>): Promise<Archiving> {
    const isArchived = (await this.#options.archives.topic(topicId)) !== undefined;
    return { isArchived, archiveHold: isArchived ? holds.get(topicId) : undefined };
  }

  async #state(
    topic: RetentionTopic,
    place: TopicPlace | undefined,
    clock: RetentionClock,
  ): Promise<Omit<TopicState, keyof Archiving>> {
    const { store, unpassed } = this.#options;
    const { topicId, policy } = topic;
    const after = place?.lookedTo ?? 0;
    const upTo = await store.settledTo();
    const { entries } = await store.due({ topicId, after, upTo, limit: 1, maxBytes: 0 });
    const [oldest] = entries;
    const times = dueTimes(policy, clock.now, clock.leapt);
    const isDue = oldest !== undefined && oldest.createdAt <= times.due;
    const mayBeHeld = isDue && oldest.createdAt > times.overdue;
    const holders = mayBeHeld ? await unpassed.of(topic, [oldest]) : [];
    return {
      ...topic,
      ...{ place, oldest },
      overdue: isDue ? overdueBy(oldest.createdAt, policy, clock) : 0,
      heldBy: holders.slice(0, MAX_HOLDERS).map(({ consumer: { context, name, offset } }) => {
        return { context, name, offset, events: 0, isMinimum: false };
      }),
      kept: await store.countKept(topicId, MAX_COUNTED_KEPT),
    };
  }
}

/** How long an entry is due, by the log's time. */
function overdueBy(createdAt: Micros, { ageMicros = 0 }: RetentionPolicy, { now, leapt }: RetentionClock): Micros {
  // Its age is the greatest one for which it is old enough.
  let [low, high] = [ageMicros, Math.max(ageMicros, now - createdAt)];
  while (high - low > 1_000_000) {
    const middle = Math.floor((low + high) / 2);
    if (createdBefore(now, middle, leapt) >= createdAt) low = middle;
    else high = middle;
  }
  return low - ageMicros;
}

function byName(a: TopicName, b: TopicName): number {
  return (
    Buffer.compare(Buffer.from(a.context), Buffer.from(b.context)) ||
    Buffer.compare(Buffer.from(a.name), Buffer.from(b.name))
  );
}

function seconds(micros: Micros): number {
  return Math.round(micros / 1_000_000);
}
