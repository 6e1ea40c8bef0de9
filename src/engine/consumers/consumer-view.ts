// What people see of a consumer: its settings and its state, live where it is run, as stored elsewhere.

import { type ConsumerKey, type ConsumerSettings, MAX_EXACT_PENDING } from '../../domain/consumers/consumer.js';
import type { MemberUse } from '../../domain/consumers/delivery-types.js';
import type { DeliveryWindow } from '../../domain/consumers/delivery-window.js';
import { decodeRanges } from '../../domain/consumers/position-ranges.js';
import type { Clock } from '../../lib/clock.js';
import type { ConsumerRecord } from '../../storage/ports/consumer-storage.js';
import type { Micros, Millis, Position } from '../../units.js';
import type { LogSource, Selection } from '../log/log-source.js';
import type { ConsumerChanges } from './consumer-changes.js';
import type { ConsumerDispatcher } from './consumer-dispatcher.js';
import type { ConsumerMembers } from './consumer-members.js';
import type { ConsumerProgress } from './consumer-progress.js';

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

/** A number of events, or at least so many. */
export interface EventCount {
  readonly count: number;
  readonly isMinimum: boolean;
}

/** What the stored record tells about a consumer that is not run here. */
export function storedView(record: ConsumerRecord, head: Position): ConsumerView {
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
    parked: 0,
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

  get inFlight(): number {
    return this.#options.window.report.stats().inFlight;
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
  countPending(): Promise<EventCount> {
    const { offset, acked } = this.#options.window.unsaved.take();
    return this.#count({ after: offset, upTo: this.#options.source.visible, without: acked });
  }

  /** Counts matching events between two positions, in either order. */
  countBetween(a: Position, b: Position): Promise<EventCount> {
    return this.#count({ after: Math.min(a, b), upTo: Math.max(a, b) });
  }

  #count(span: CountOptions): Promise<EventCount> {
    const { source, dispatcher } = this.#options;
    return countEvents(source, dispatcher.selection, span);
  }
}

/** Pages that one count looks at; each may pass over 20,000 rows that do not match. */
const MAX_COUNT_PAGES = 30;
const COUNT_BYTES = 8 * 1024 * 1024;

export interface CountOptions {
  /** Events after this position count. */
  readonly after: Position;
  /** The last position that counts. */
  readonly upTo: Position;
  /** Ranges that do not count, as the window stores them. */
  readonly without?: Uint8Array;
}

/** Matching events in a span of the log: exact to 10,000, as long as no more than some 600,000 others lie between them. */
export async function countEvents(
  source: LogSource,
  selection: Selection,
  { after, upTo, without }: CountOptions,
): Promise<EventCount> {
  const isDone = without === undefined || without.length === 0 ? () => false : rangeTest(without);
  let count = 0;
  let scanned = after;
  for (let page = 0; page < MAX_COUNT_PAGES; page += 1) {
    if (scanned >= upTo) return { count, isMinimum: false };
    const batch = await source.read(selection, { after: scanned, limit: 1_000, maxBytes: COUNT_BYTES });
    count += batch.entries.filter(({ position }) => position <= upTo && !isDone(position)).length;
    if (count > MAX_EXACT_PENDING) return { count: MAX_EXACT_PENDING, isMinimum: true };
    scanned = batch.scannedTo;
  }
  return { count, isMinimum: scanned < upTo };
}

/** Makes a test for positions that are asked in ascending order. */
function rangeTest(encoded: Uint8Array): (position: Position) => boolean {
  const ranges = decodeRanges(encoded);
  let at = 0;
  return (position) => {
    while (at < ranges.length && (ranges[at]?.[1] ?? 0) < position) at += 1;
    const range = ranges[at];
    return range !== undefined && range[0] <= position;
  };
}
