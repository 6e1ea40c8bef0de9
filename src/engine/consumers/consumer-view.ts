// What people see of a consumer: its settings and its state, live where it is run, as stored elsewhere.

import type { ConsumerKey, ConsumerSettings } from '../../domain/consumers/consumer.js';
import type { MemberUse, WindowStats } from '../../domain/consumers/delivery-types.js';
import type { DeliveryWindow } from '../../domain/consumers/delivery-window.js';
import type { Clock } from '../../lib/clock.js';
import type { ConsumerRecord } from '../../storage/ports/consumer-storage.js';
import type { Micros, Millis, Position } from '../../units.js';
import type { LogSource } from '../log/log-source.js';
import type { ConsumerChanges } from './consumer-changes.js';
import type { ConsumerDispatcher } from './consumer-dispatcher.js';
import type { ConsumerMembers } from './consumer-members.js';
import type { ConsumerProgress } from './consumer-progress.js';
import { type CountSpan, countEvents, type Effort, type EventCount, EXACT } from './event-count.js';

export type ConsumerActivity =
  | 'UNKNOWN'
  | 'IDLE'
  | 'DELIVERING'
  | 'WAITING_FOR_ACKS'
  | 'BLOCKED_BY_RETRY'
  | 'NO_MEMBER';

export interface MemberView extends MemberUse {
  readonly subscribedAtMs: Millis;
}

export interface ConsumerView extends ConsumerKey {
  readonly settings: ConsumerSettings;
  readonly generation: number;
  readonly offset: Position;
  readonly head: Position;
  readonly inFlight: number;
  readonly parked: number;
  /** The oldest delivered position that is not done; 0: none. */
  readonly oldestUnacknowledged: Position;
  readonly members: readonly MemberView[];
  readonly movedAt: Micros | undefined;
  readonly createdAt: Micros;
  readonly activity: ConsumerActivity;
  readonly activityCause: string;
  /** Address of the instance that runs it; empty: none. */
  readonly owner: string;
}

/** What the stored record tells about a consumer that is not run here. */
export function storedView(
  record: ConsumerRecord,
  { head, parked }: { readonly head: Position; readonly parked: number },
): ConsumerView {
  const { owner } = record;
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
    oldestUnacknowledged: 0,
    members: [],
    movedAt: record.movedAt,
    createdAt: record.createdAt,
    activity: owner === undefined ? 'NO_MEMBER' : 'UNKNOWN',
    activityCause: owner === undefined ? 'nobody is subscribed' : `known to ${owner.address}, which runs it`,
    owner: owner?.address ?? '',
  };
}

export interface ConsumerReportOptions {
  readonly key: ConsumerKey;
  readonly createdAt: Micros;
  /** Address of this instance. */
  readonly address: string;
  readonly window: DeliveryWindow;
  readonly members: ConsumerMembers;
  readonly progress: ConsumerProgress;
  readonly dispatcher: ConsumerDispatcher;
  readonly source: LogSource;
  readonly clock: Clock;
}

const NOTHING: EventCount = { count: 0, isMinimum: false };

/** What people see of a consumer that this instance runs. */
export class ConsumerReport {
  readonly #changes: ConsumerChanges;
  readonly #options: ConsumerReportOptions;

  constructor(changes: ConsumerChanges, options: ConsumerReportOptions) {
    this.#changes = changes;
    this.#options = options;
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

  stats(): WindowStats {
    return this.#options.window.report.stats();
  }

  view(): ConsumerView {
    const { key, createdAt, address, window, members, progress, clock } = this.#options;
    const { inFlight, parked, oldestUnacknowledged } = window.report.stats();
    const { activity, cause } = window.report.activity(this.head, clock.monotonicMs());
    return {
      ...key,
      settings: this.#changes.settings,
      generation: window.generation,
      offset: this.offset,
      head: this.head,
      inFlight,
      parked,
      oldestUnacknowledged,
      members: members.views(),
      movedAt: progress.movedAt,
      createdAt,
      activity,
      activityCause: cause,
      owner: address,
    };
  }

  /** Counts matching events that are not acknowledged. */
  async countPending(effort: Effort = EXACT): Promise<EventCount> {
    if (this.head === this.offset) return NOTHING;
    const { offset, acked } = this.#options.window.unsaved.take();
    return this.#count({ after: offset, upTo: this.#options.source.visible, without: acked }, effort);
  }

  /** Counts matching events between two positions, in either order. */
  countBetween(a: Position, b: Position): Promise<EventCount> {
    return this.#count({ after: Math.min(a, b), upTo: Math.max(a, b) }, EXACT);
  }

  #count(span: CountSpan, effort: Effort): Promise<EventCount> {
    const { source, dispatcher } = this.#options;
    return countEvents({ source, selection: dispatcher.selection, span, effort });
  }
}
