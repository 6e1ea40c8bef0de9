// The consumers, as the service calls them. Calls that need the consumer's session go to it; the others are answered from what
// is stored, also for consumers that another instance runs.

import { randomUUID } from 'node:crypto';
import {
  applySettings,
  type ConsumerKey,
  type ConsumerSettings,
  consumerCriteria,
  DEFAULT_SETTINGS,
  differingSettings,
  type SeekTarget,
  type SettingsPatch,
  type StartPosition,
  selectsOtherwise,
} from '../../domain/consumers/consumer.js';
import type { AckStatus, Answer, MemberCredit, Rejection } from '../../domain/consumers/delivery-types.js';
import type { ConsumerSnapshot } from '../../domain/consumers/managed/consumer-snapshot.js';
import {
  assertNever,
  drainingError,
  fieldInvalid,
  MadeleineError,
  parkedUnknown,
  snapshotUnknown,
} from '../../domain/errors.js';
import { Subject } from '../../domain/events/subject.js';
import type { ParkedPlace } from '../../domain/group/group-plan-types.js';
import type { ManagementCall } from '../../domain/management/audit.js';
import { settingsValues } from '../../domain/management/settings-values.js';
import { newConsumerProblem } from '../../domain/names.js';
import type { ConsumerDraft, ConsumerRecord, ListConsumersOptions } from '../../storage/ports/consumer-storage.js';
import type { ParkedPage, ParkedSelection } from '../../storage/ports/parked-storage.js';
import type { Millis, Position } from '../../units.js';
import type { EventSteps, Step } from '../log/event-steps.js';
import { selectionOf } from '../log/log-source.js';
import { namedPosition } from '../log/named-position.js';
import type { Consumption } from '../statistics/consumption.js';
import type { Acknowledged, Acknowledging, Answered } from './consumer-answers.js';
import type { AskedMove, SavedSnapshot } from './consumer-changes.js';
import type { FetchOptions } from './consumer-fetch.js';
import type { ParkedAction, ReplacingResult } from './consumer-parked.js';
import type { ConsumerSession } from './consumer-session.js';
import { ConsumerSessions, type ConsumerSessionsOptions } from './consumer-sessions.js';
import type { Subscription } from './consumer-subscription.js';
import { type ConsumerView, storedView } from './consumer-view.js';
import type { KnownStreams, NamedStream } from './named/known-streams.js';
import { consumerUnknown } from './ownership/consumer-errors.js';
import { MAX_LOOKED_AT } from './passed/passed-consumers.js';
import type { DeliveryBatch, MeasureEntry } from './pending-deliveries.js';
import { countEvents, type Effort, type EventCount, EXACT, ROUGH } from './state/event-count.js';

/** How a call names its consumer, and makes it if need be. */
export interface ConsumerUse {
  readonly key: ConsumerKey;
  /** Where it begins, if the call creates it. */
  readonly start: StartPosition;
  /** What is given has to be as stored. */
  readonly settings: SettingsPatch;
  /** What is kept of it, if it creates the consumer. */
  readonly call: ManagementCall;
}

/** How a member's call names its consumer. */
export interface MemberCall extends ConsumerUse {
  /** Streams of the request that have to be there already, as the consumer has; undefined: neither has to. */
  readonly mustExist: readonly NamedStream[] | undefined;
}

export interface SubscribeOptions extends MemberCall {
  /** Name of the member; empty: one is minted. */
  readonly member: string;
  readonly credit: MemberCredit;
  readonly measure: MeasureEntry;
  /** Where the call comes from. */
  readonly address: string;
  /** Signal whose abort means that the subscriber's stream broke. */
  readonly signal: AbortSignal;
}

export interface CountedView {
  readonly view: ConsumerView;
  readonly pending: EventCount;
  /** Percentage of matching events up to the offset; undefined: not known. */
  readonly percent: number | undefined;
}

/** A consumer of a list; `counted` and `percent` are left out where the list took too long. */
export interface ListedConsumer extends ConsumerView {
  readonly counted: EventCount | undefined;
  readonly percent: number | undefined;
}

export interface SeekResult {
  readonly formerOffset: Position;
  readonly offset: Position;
  readonly affected: EventCount;
  /** Events of a seek by events; else 0. */
  readonly moved: number;
}

export interface RestoreResult extends Omit<SeekResult, 'moved'> {
  readonly snapshot: ConsumerSnapshot;
  /** Whether only the offset counts, as the consumer selects otherwise than it did then. */
  readonly offsetOnly: boolean;
}

/** Chooses consumers of a list. */
export type Choose = (records: readonly ConsumerRecord[]) => Promise<readonly ConsumerRecord[]>;

/** Parked events that are changed and stored together: others go on in between. */
const CHANGED_AT_ONCE = 1_000;
/** How long the consumers of a list are counted. */
const LIST_COUNT_MS = 1_000;

export interface ConsumersOptions extends ConsumerSessionsOptions {
  readonly streams: KnownStreams;
  readonly steps: Pick<EventSteps, 'from'>;
  readonly consumption: Pick<Consumption, 'percentOf'>;
}

export class Consumers {
  readonly #options: ConsumersOptions;
  readonly #sessions: ConsumerSessions;

  constructor(options: ConsumersOptions) {
    this.#options = options;
    this.#sessions = new ConsumerSessions(options);
  }

  start(): void {
    this.#sessions.start();
  }

  /**
   * Takes no new consumers or members, and tells the present ones to go. Acknowledgements go on. Resolves when every
   * subscriber has acknowledged what it holds and its stream has ended, or the time is over.
   */
  drain(graceMs: Millis): Promise<void> {
    return this.#sessions.drain(graceMs);
  }

  /** Ends what is left, writes every place and lets go of all consumers. */
  stop(): Promise<void> {
    return this.#sessions.stop();
  }

  /** Subscribes a member. Rejects as the contract of Subscribe says. */
  async subscribe(options: SubscribeOptions): Promise<{ subscription: Subscription; view: ConsumerView }> {
    const session = await this.#use(options);
    // Whoever has gone meanwhile takes nobody's place.
    options.signal.throwIfAborted();
    const name = options.member === '' ? `member-${randomUUID().slice(0, 8)}` : options.member;
    const subscription = session.members.subscribe(name, options);
    options.signal.addEventListener('abort', () => subscription.close({ lost: true }), { once: true });
    return { subscription, view: session.report.view() };
  }

  async fetch(
    use: MemberCall,
    member: string,
    options: FetchOptions,
  ): Promise<{ batch: DeliveryBatch; offset: Position; head: Position }> {
    const session = await this.#use(use);
    options.signal.throwIfAborted();
    const batch = await session.members.fetch(member, options);
    return { batch, offset: session.report.offset, head: session.report.head };
  }

  /** Acknowledges, and resolves once the result is durable. */
  async acknowledge(key: ConsumerKey, acknowledging: Acknowledging): Promise<Acknowledged> {
    const session = await this.#session(key);
    return session.answers.acknowledge(acknowledging);
  }

  /** Rejects, and resolves once the result is durable. */
  async reject(key: ConsumerKey, answers: readonly Answer[], rejection: Rejection): Promise<Answered> {
    const session = await this.#session(key);
    const answered = await session.answers.reject(answers, rejection);
    const accepted = answered.statuses.filter((status) => status === 'ACCEPTED').length;
    this.#options.metrics.verdicts.inc({ verdict: rejection.action.toLowerCase() }, accepted);
    return answered;
  }

  /** Gives events in flight more time; resolves with the status of each once that is durable. */
  async extend(key: ConsumerKey, answers: readonly Answer[], ms: Millis): Promise<readonly AckStatus[]> {
    const session = await this.#session(key);
    return (await session.answers.extend(answers, ms)).statuses;
  }

  /** Gives all that is in flight, of a member if one is named, more time; resolves with how many those are. */
  async extendAll(key: ConsumerKey, member: string | undefined, ms: Millis): Promise<number> {
    return (await this.#session(key)).answers.extendAll(member, ms);
  }

  /**
   * Replays or discards parked events by their positions, and resolves with those that were parked, once that is durable.
   * PARKED_UNKNOWN for a single one that was not.
   */
  async changeParked(
    key: ConsumerKey,
    action: ParkedAction,
    positions: ReadonlySet<Position>,
    call: ManagementCall,
  ): Promise<ReadonlySet<Position>> {
    const changed = await (await this.#session(key)).parked.change(action, positions, call);
    const [first = 0] = positions;
    if (positions.size === 1 && changed.size === 0) throw parkedUnknown(first);
    this.#options.metrics.parkedChanges.inc({ action }, changed.size);
    return changed;
  }

  /** Replays or discards what is parked up to the head of now and selected; resolves with how many those are. */
  async changeAllParked(
    key: ConsumerKey,
    action: ParkedAction,
    selection: ParkedSelection,
    { call, signal }: { readonly call: ManagementCall; readonly signal: AbortSignal },
  ): Promise<number> {
    const { parked } = this.#options;
    const session = await this.#session(key);
    const upTo = session.report.head;
    // What is listed is what is stored.
    await session.progress.flush();
    const options = {
      ...selection,
      consumerId: session.hold.guard.id,
      withReplaying: action === 'discard',
      limit: CHANGED_AT_ONCE,
    };
    let changed = 0;
    for (let after: Position | undefined = 0; after !== undefined && after < upTo && !signal.aborted; ) {
      const page: ParkedPage = await parked.list({ ...options, after });
      const positions = page.records.map(({ position }) => position).filter((position) => position <= upTo);
      if (positions.length > 0) changed += (await session.parked.change(action, positions, call)).size;
      after = page.next;
    }
    this.#options.metrics.parkedChanges.inc({ action }, changed);
    return changed;
  }

  /** Has a push take the place of a parked event, given that and the consumer's settings; see ConsumerParked. */
  async replaceParked<Result extends ReplacingResult>(
    key: ConsumerKey,
    position: Position,
    push: (place: ParkedPlace, settings: ConsumerSettings) => Promise<Result>,
  ): Promise<Result> {
    const session = await this.#session(key);
    const result = await session.parked.replace(position, (place) => push(place, session.changes.settings));
    if (result.kind === 'stored' && result.effect !== 'duplicate') {
      this.#options.metrics.parkedChanges.inc({ action: 'edit' });
    }
    return result;
  }

  /** Creates a consumer; one with the same settings is returned as it is, with others it is SETTINGS_DIFFER. */
  async create(use: ConsumerUse): Promise<CountedView> {
    if (this.#sessions.draining) throw drainingError();
    const settings = applySettings(DEFAULT_SETTINGS, use.settings);
    const { filterField } = use.settings;
    assertSameSettings(await this.#create(use, settings, 'name'), { ...settings, filterField });
    return this.get(use.key);
  }

  async get(key: ConsumerKey): Promise<CountedView> {
    const { store, consumption } = this.#options;
    const session = this.#sessions.running(key);
    if (session !== undefined) return this.#counted(session);
    const record = await store.find(key);
    if (record === undefined) throw consumerUnknown(key);
    const parked = await store.countParked([record.id]);
    const view = this.#storedView(record, parked);
    const pending = await this.#countStored(record, EXACT);
    return { view, pending, percent: await consumption.percentOf(view, EXACT) };
  }

  /** The offset of a consumer that runs here; undefined: it does not. */
  offsetOf(key: ConsumerKey): Position | undefined {
    return this.#sessions.running(key)?.report.offset;
  }

  /**
   * Lists consumers by context and name. Their pending events are counted roughly, one consumer after the other, for so long as
   * a list may take; what is left then is not counted.
   */
  async list(options: ListConsumersOptions): Promise<readonly ListedConsumer[]> {
    return this.#listed(await this.#options.store.list(options));
  }

  /** Lists those that are chosen of the next consumers of a context and of `all`, and the last that was looked at, if there may be more. */
  async listChosen(
    options: ListConsumersOptions,
    choose: Choose,
  ): Promise<{ readonly items: readonly ListedConsumer[]; readonly next: ConsumerKey | undefined }> {
    const records = await this.#options.store.list({ ...options, withAll: true, limit: MAX_LOOKED_AT });
    const items = await this.#listed((await choose(records)).slice(0, options.limit));
    return { items, next: records.length === MAX_LOOKED_AT ? records.at(-1) : undefined };
  }

  async #listed(records: readonly ConsumerRecord[]): Promise<readonly ListedConsumer[]> {
    const { store, clock, consumption } = this.#options;
    const stored = records.filter((record) => this.#sessions.running(record) === undefined);
    const parked = await store.countParked(stored.map(({ id }) => id));
    const giveUpAtMs = clock.monotonicMs() + LIST_COUNT_MS;
    const listed: ListedConsumer[] = [];
    for (const record of records) {
      const report = this.#sessions.running(record)?.report;
      const view = report?.view(record.nextAt) ?? this.#storedView(record, parked);
      const isLate = clock.monotonicMs() >= giveUpAtMs;
      const counting = isLate ? undefined : (report?.countPending(ROUGH) ?? this.#countListed(record));
      const percent = isLate ? undefined : consumption.percentOf(view, ROUGH);
      listed.push({ ...view, counted: await counting, percent: await percent });
    }
    return listed;
  }

  async #counted({ report }: ConsumerSession): Promise<CountedView> {
    const view = await report.wholeView();
    const pending = await report.countPending();
    return { view, pending, percent: await this.#options.consumption.percentOf(view, EXACT) };
  }

  #storedView(record: ConsumerRecord, parked: ReadonlyMap<number, number>): ConsumerView {
    const { source, clock, instance } = this.#options;
    const known = { head: source.visible, nowMs: clock.nowMs(), instance: instance.id };
    return storedView(record, { ...known, parked: parked.get(record.id) ?? 0 });
  }

  /** Counts for a list, whose records do not have what is acknowledged above the offset. */
  async #countListed(record: ConsumerRecord): Promise<EventCount | undefined> {
    const { store, source } = this.#options;
    if (record.offset >= source.visible) return { count: 0, isMinimum: false };
    const whole = await store.find(record);
    return whole === undefined ? undefined : this.#countStored(whole, ROUGH);
  }

  async update(key: ConsumerKey, patch: SettingsPatch, call: ManagementCall): Promise<CountedView> {
    const session = await this.#session(key);
    await session.changes.configure(patch, call);
    return this.#counted(session);
  }

  /** Pauses a consumer; one that is paused stays as it is. */
  async pause(key: ConsumerKey, reason: string, call: ManagementCall): Promise<CountedView> {
    const session = await this.#session(key);
    await session.changes.setPaused(reason, call);
    return this.#counted(session);
  }

  async resume(key: ConsumerKey, call: ManagementCall): Promise<CountedView> {
    const session = await this.#session(key);
    await session.changes.resume(call);
    return this.#counted(session);
  }

  async delete(key: ConsumerKey, call: ManagementCall): Promise<void> {
    await this.#sessions.delete(await this.#session(key), call);
  }

  /** Moves the offset; if nobody asks for it, it only tells what that would do. Once it is decided where to, the signal counts no more. */
  async seek(
    key: ConsumerKey,
    to: SeekTarget,
    asked: AskedMove | undefined,
    signal?: AbortSignal,
  ): Promise<SeekResult> {
    const session = await this.#session(key);
    const { offset, moved } = await this.#target(key, session, to, signal);
    const formerOffset = session.report.offset;
    const affected = await session.report.countBetween(formerOffset, offset);
    if (asked !== undefined) await session.changes.seek(offset, asked, { fromOldest: to.kind === 'earliest' });
    return { formerOffset, offset, affected, moved };
  }

  async #target(
    key: ConsumerKey,
    { changes, report }: ConsumerSession,
    to: SeekTarget,
    signal?: AbortSignal,
  ): Promise<Step> {
    if (to.kind !== 'by-events') return { offset: await this.#positionOf(to, 'to.after_position'), moved: 0 };
    return this.#options.steps.from(consumerCriteria(key, changes.settings), report.offset, to.events, signal);
  }

  async saveSnapshot(key: ConsumerKey, name: string, call: ManagementCall): Promise<SavedSnapshot> {
    return (await this.#session(key)).changes.saveSnapshot(name, call);
  }

  async deleteSnapshot(key: ConsumerKey, name: string, call: ManagementCall): Promise<void> {
    await (await this.#session(key)).changes.deleteSnapshot(name, call);
  }

  /** Goes to a place that was kept; if nobody asks for it, it only tells what that would do. */
  async restoreSnapshot(key: ConsumerKey, name: string, asked: AskedMove | undefined): Promise<RestoreResult> {
    const { placeStore, source } = this.#options;
    const { changes, hold, report } = await this.#session(key);
    const snapshot = await placeStore.findSnapshot(hold.guard.id, name);
    if (snapshot === undefined) throw snapshotUnknown(name);
    const { offset, doneTo, settings } = snapshot;
    await namedPosition(source, { field: 'name', position: Math.max(offset, doneTo) });
    const formerOffset = report.offset;
    const offsetOnly = selectsOtherwise(changes.settings, settings);
    const affected = await report.countBetween(formerOffset, offset, changes.doneAbove(snapshot));
    if (asked !== undefined) await changes.restore(snapshot, asked);
    return { snapshot, formerOffset, offset, affected, offsetOnly };
  }

  #countStored(record: ConsumerRecord, effort: Effort): Promise<EventCount> {
    const { source } = this.#options;
    const selection = selectionOf(consumerCriteria(record, record.settings));
    const span = { after: record.offset, upTo: source.visible, without: record.acked };
    return countEvents({ source, selection, span, effort });
  }

  /** The session of a call that may create the consumer, or is to create nothing, and that checks its settings. */
  async #use(use: MemberCall): Promise<ConsumerSession> {
    const { key, settings, mustExist } = use;
    if (this.#sessions.draining) throw drainingError();
    if (mustExist !== undefined) await this.#options.streams.assertPushedTo(key.context, mustExist);
    let session = await this.#sessions.open(key);
    while (session === undefined) {
      if (mustExist !== undefined) throw consumerUnknown(key);
      await this.#createForMember(use, applySettings(DEFAULT_SETTINGS, settings));
      session = await this.#sessions.open(key);
    }
    assertSameSettings(session.changes, settings);
    return session;
  }

  async #session(key: ConsumerKey): Promise<ConsumerSession> {
    const session = await this.#sessions.open(key);
    if (session === undefined) throw consumerUnknown(key);
    return session;
  }

  /** An ephemeral consumer comes and goes with its members, as no management call. */
  async #createForMember(use: MemberCall, settings: ConsumerSettings): Promise<void> {
    if (settings.ephemeral) await this.#options.store.create(await this.#draft(use, settings, 'consumer'));
    else await this.#create(use, settings, 'consumer');
  }

  async #create(use: ConsumerUse, settings: ConsumerSettings, nameField: string): Promise<ConsumerRecord> {
    const { store, management } = this.#options;
    for (;;) {
      const present = await store.find(use.key);
      if (present !== undefined) return present;
      const { context, name, ...draft } = await this.#draft(use, settings, nameField);
      const key = { context, name };
      const after = { ...settingsValues(settings), offset: draft.offset };
      const told = { entityType: 'consumer', subject: Subject.CREATED, context, about: { consumer: name }, after };
      const fromOldest = use.start.kind === 'earliest';
      await management.change(use.call, { kind: 'create', key, ...draft, by: use.call.by, fromOldest }, told);
    }
  }

  async #draft({ key, start }: ConsumerUse, settings: ConsumerSettings, nameField: string): Promise<ConsumerDraft> {
    const problem = newConsumerProblem(key.name);
    if (problem !== undefined) throw fieldInvalid(nameField, problem);
    const offset = await this.#positionOf(start, 'start.after_position');
    return { ...key, settings, offset, createdAt: this.#options.clock.nowMs() * 1000 };
  }

  async #positionOf(start: StartPosition, field: string): Promise<Position> {
    const { source } = this.#options;
    switch (start.kind) {
      case 'earliest': {
        // Once retention deletes: what was gone before the consumer existed is no gap for it.
        const { visible } = source;
        const oldest = await source.oldestPosition();
        return oldest === 0 ? visible : oldest - 1;
      }
      case 'latest':
        return source.visible;
      case 'after-position':
        return namedPosition(source, { field, position: start.position });
      case 'after-time':
        return source.positionAt(start.time);
      default:
        return assertNever(start);
    }
  }
}

function assertSameSettings(stored: Pick<ConsumerRecord, 'settings'>, given: SettingsPatch): void {
  const differences = differingSettings(stored.settings, given);
  if (differences.length === 0) return;
  const violations = differences.map(({ field, stored: value }) => ({
    field: `settings.${field}`,
    description: `is ${value} as stored`,
  }));
  const fields = violations.map(({ field }) => field).join(', ');
  throw new MadeleineError('SETTINGS_DIFFER', `the consumer exists with other settings: ${fields}`, { violations });
}
