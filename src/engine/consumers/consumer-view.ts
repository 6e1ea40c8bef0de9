// What people see of a consumer: its settings and its state, live where it is run, as stored elsewhere.

import type { ConsumerKey, ConsumerSettings } from '../../domain/consumers/consumer.js';
import type { MemberUse, WindowActivity, WindowCondition, WindowStats } from '../../domain/consumers/delivery-types.js';
import type { DeliveryWindow } from '../../domain/consumers/delivery-window.js';
import { type ConsumerPause, pauseInWords } from '../../domain/consumers/managed/consumer-pause.js';
import type { Clock, WallTime } from '../../lib/clock.js';
import type { ConsumerRecord } from '../../storage/ports/consumer-storage.js';
import type { Micros, Millis, Position } from '../../units.js';
import type { LogSource } from '../log/log-source.js';
import type { ConsumerChanges } from './consumer-changes.js';
import type { ConsumerDispatcher } from './consumer-dispatcher.js';
import type { ConsumerLife } from './consumer-life.js';
import type { ConsumerMembers } from './consumer-members.js';
import type { ConsumerProgress } from './consumer-progress.js';
import type { ConsumerGaps } from './gaps/consumer-gaps.js';
import type { ConsumerHold } from './ownership/consumer-hold.js';
import { type ConsumerActivity, mendCommand } from './state/consumer-activity.js';
import { type CountSpan, countEvents, type Effort, type EventCount, EXACT } from './state/event-count.js';

export interface MemberView extends Omit<MemberUse, 'answeredMs'> {
  /** Where its calls come from. */
  readonly address: string;
  /** When it came, by the wall clock. */
  readonly subscribedAtMs: Millis;
  /** When it last answered a delivery, by the wall clock; undefined: not yet. */
  readonly answeredAtMs: Millis | undefined;
}

export interface ConsumerView extends ConsumerKey {
  readonly settings: ConsumerSettings;
  readonly generation: number;
  readonly offset: Position;
  readonly head: Position;
  readonly inFlight: number;
  readonly parked: number;
  /** Its events that were deleted before it had passed them. */
  readonly expiredUnread: number;
  /** The oldest delivered position that is not done; 0: none. */
  readonly oldestUnacknowledged: Position;
  readonly members: readonly MemberView[];
  readonly movedAt: Micros | undefined;
  readonly createdAt: Micros;
  /** Undefined: it is not paused. */
  readonly pause: ConsumerPause | undefined;
  readonly activity: ConsumerActivity;
  readonly activityCause: string;
  /** Since when it does that, by the wall clock, as far as this instance knows; undefined: another one may know. */
  readonly activeSinceMs: Millis | undefined;
  /** The position that holds it up; 0: none. */
  readonly blockedPosition: Position;
  /** When that is tried again, by the wall clock; undefined: that hangs on somebody's answer. */
  readonly blockedUntilMs: Millis | undefined;
  /** The command that mends it, or tells more; empty: there is nothing to mend. */
  readonly mendCommand: string;
  /** How old the event right after the offset is; 0: there is none; undefined: not known without a query. */
  readonly lagMs: Millis | undefined;
  /** Address of the instance that runs it; empty: none. */
  readonly owner: string;
}

export interface StoredViewOptions {
  /** The newest visible position. */
  readonly head: Position;
  readonly nowMs: Millis;
  /** Id of this instance. */
  readonly instance: string;
  readonly parked: number;
}

/** Returns what the stored record tells about a consumer that is not run here. */
export function storedView(record: ConsumerRecord, { head, nowMs, instance, parked }: StoredViewOptions): ConsumerView {
  const { owner, pause } = record;
  const { activity, cause } = storedActivity(record, instance);
  return {
    context: record.context,
    name: record.name,
    settings: record.settings,
    generation: record.generation,
    offset: record.offset,
    // Its owner may have seen more of the log than this instance.
    head: Math.max(head, record.offset),
    inFlight: 0,
    parked,
    expiredUnread: record.expiredUnread,
    oldestUnacknowledged: 0,
    members: [],
    movedAt: record.movedAt,
    createdAt: record.createdAt,
    pause,
    activity,
    activityCause: cause,
    activeSinceMs: pauseMs(pause),
    blockedPosition: 0,
    blockedUntilMs: undefined,
    mendCommand: mendCommand(record, { activity, position: 0, owner: owner?.id === instance ? '' : owner?.address }),
    lagMs: head <= record.offset ? 0 : ageMs(record.nextAt, nowMs),
    owner: owner?.address ?? '',
  };
}

function storedActivity(
  { owner, pause }: ConsumerRecord,
  instance: string,
): { activity: ConsumerActivity; cause: string } {
  if (pause !== undefined) return { activity: 'PAUSED', cause: pauseInWords(pause) };
  if (owner === undefined) return { activity: 'NO_MEMBER', cause: 'nobody is subscribed' };
  if (owner.id === instance) return { activity: 'UNKNOWN', cause: 'this instance takes it over, or lets go of it' };
  return { activity: 'ELSEWHERE', cause: `run by ${owner.address}, which knows more` };
}

function pauseMs(pause: ConsumerPause | undefined): Millis | undefined {
  return pause === undefined ? undefined : pause.pausedAt / 1000;
}

/** Returns how old something is by the wall clock; undefined for what has no time. */
function ageMs(createdAt: Micros | undefined, nowMs: Millis): Millis | undefined {
  return createdAt === undefined ? undefined : Math.max(0, nowMs - createdAt / 1000);
}

export interface ConsumerReportOptions {
  readonly key: ConsumerKey;
  readonly createdAt: Micros;
  /** Address of this instance. */
  readonly address: string;
  readonly life: ConsumerLife;
  readonly hold: Pick<ConsumerHold, 'trusted'>;
  readonly window: DeliveryWindow;
  readonly members: ConsumerMembers;
  readonly gaps: Pick<ConsumerGaps, 'expiredUnread'>;
  readonly progress: ConsumerProgress;
  readonly dispatcher: ConsumerDispatcher;
  readonly source: LogSource;
  readonly clock: Clock;
  readonly wallTime: WallTime;
}

/** What a consumer does now. */
interface Condition extends Omit<WindowCondition, 'activity'> {
  readonly activity: WindowActivity | 'STOPPING';
}

const STOPPING: Condition = { activity: 'STOPPING', blockedPosition: 0, blockedUntilMs: undefined };
const NOTHING: EventCount = { count: 0, isMinimum: false };

/** What people see of a consumer that this instance runs. */
export class ConsumerReport {
  readonly #changes: ConsumerChanges;
  readonly #options: ConsumerReportOptions;
  #activity: Condition['activity'] | undefined;
  /** Since when, by the wall clock. */
  #sinceMs: Millis = 0;

  constructor(changes: ConsumerChanges, options: ConsumerReportOptions) {
    this.#changes = changes;
    this.#options = options;
  }

  /** Takes note of what it does now, and since when; to be called after whatever may have changed that. */
  note(): Condition {
    const { window, life, clock } = this.#options;
    const condition = life.draining ? STOPPING : window.report.condition(this.head, clock.monotonicMs());
    if (condition.activity !== this.#activity) {
      this.#activity = condition.activity;
      this.#sinceMs = clock.nowMs();
    }
    return condition;
  }

  get offset(): Position {
    this.#options.dispatcher.passQuiet();
    return this.#options.window.offset;
  }

  /** The newest visible position, or the offset where that was seen by another instance first. */
  get head(): Position {
    return Math.max(this.#options.source.visible, this.offset);
  }

  get lag(): Position {
    return this.head - this.offset;
  }

  get expiredUnread(): number {
    return this.#options.gaps.expiredUnread;
  }

  get isPaused(): boolean {
    return this.#changes.pause !== undefined;
  }

  stats(): WindowStats {
    return this.#options.window.report.stats();
  }

  /** Returns what memory knows; `nextAt`: when the event right after the offset was created, where it is known otherwise. */
  view(nextAt?: Micros): ConsumerView {
    const { key, createdAt, address, window, members, progress } = this.#options;
    const { inFlight, parked, oldestUnacknowledged } = window.report.stats();
    return {
      ...key,
      settings: this.#changes.settings,
      generation: window.generation,
      offset: this.offset,
      head: this.head,
      inFlight,
      parked,
      expiredUnread: this.expiredUnread,
      oldestUnacknowledged,
      members: members.views(),
      movedAt: progress.movedAt,
      createdAt,
      pause: this.#changes.pause,
      ...this.#activityView(oldestUnacknowledged),
      lagMs: this.#lagMs(nextAt),
      owner: address,
    };
  }

  /** Returns what memory knows, and what needs a look into the database. */
  async wholeView(): Promise<ConsumerView> {
    const view = this.view();
    if (view.lagMs !== undefined) return view;
    const [next] = await this.#options.source.readAt([view.offset + 1]);
    return this.view(next?.createdAt);
  }

  #activityView(oldestUnacknowledged: Position) {
    const { key, clock, wallTime } = this.#options;
    const condition = this.note();
    const { activity, blockedPosition, blockedUntilMs } = condition;
    return {
      activity,
      activityCause: this.#cause(condition, clock.monotonicMs()),
      activeSinceMs: activity === 'PAUSED' ? pauseMs(this.#changes.pause) : this.#sinceMs,
      blockedPosition,
      blockedUntilMs: blockedUntilMs === undefined ? undefined : Math.round(blockedUntilMs + wallTime.aheadMs),
      mendCommand: mendCommand(key, { activity, position: blockedPosition || oldestUnacknowledged }),
    };
  }

  #cause({ activity, ...rest }: Condition, now: Millis): string {
    const { address, window, hold } = this.#options;
    const { pause } = this.#changes;
    if (activity === 'PAUSED' && pause !== undefined) return pauseInWords(pause);
    if (activity === 'STOPPING') return `${address}, which runs it, is stopping: members subscribe elsewhere`;
    if (activity === 'DELIVERING' && !hold.trusted) return 'the database has to confirm first who runs it';
    return window.report.cause({ activity, ...rest }, now);
  }

  #lagMs(nextAt: Micros | undefined): Millis | undefined {
    const { source, clock } = this.#options;
    if (this.lag === 0) return 0;
    return ageMs(source.inMemory(this.offset + 1)?.createdAt ?? nextAt, clock.nowMs());
  }

  /** Counts matching events that are not acknowledged. */
  async countPending(effort: Effort = EXACT): Promise<EventCount> {
    if (this.head === this.offset) return NOTHING;
    const { offset, acked } = this.#options.window.unsaved.take();
    return this.#count({ after: offset, upTo: this.#options.source.visible, without: acked }, effort);
  }

  /** Counts matching events between two positions, in either order, but for those in ranges as the window stores them. */
  countBetween(a: Position, b: Position, without?: Uint8Array): Promise<EventCount> {
    const span = { after: Math.min(a, b), upTo: Math.max(a, b) };
    return this.#count(without === undefined ? span : { ...span, without }, EXACT);
  }

  #count(span: CountSpan, effort: Effort): Promise<EventCount> {
    const { source, dispatcher } = this.#options;
    return countEvents({ source, selection: dispatcher.selection, span, effort });
  }
}
