// The state machine of one consumer: what may be delivered to whom, what an answer means, and how
// far the offset is. Pure: it reads no events, no clock and no storage; the session that owns it does.

import type { Position } from '../../units.js';
import { DeliveryAnswers } from './delivery-answers.js';
import type { LeaseSupply } from './delivery-leases.js';
import { DeliveryMembers } from './delivery-members.js';
import { DeliveryRedeliveries } from './delivery-redeliveries.js';
import { DeliveryReport } from './delivery-report.js';
import { DeliveryRereads } from './delivery-rereads.js';
import { DeliveryScan } from './delivery-scan.js';
import { DeliveryState } from './delivery-state.js';
import type { WindowLimits, WindowSettings, WindowState } from './delivery-types.js';
import { FailingTransitions, type ParkedEvents } from './failing-transitions.js';
import { storedRanges } from './position-ranges.js';
import { UnsavedChanges } from './unsaved-changes.js';

export interface DeliveryWindowOptions {
  readonly settings: WindowSettings;
  readonly state: WindowState;
  readonly limits?: Partial<WindowLimits>;
  /** Gives numbers in [0, 1), for the back-off of retries. */
  readonly random: () => number;
}

const NOTHING = new Uint8Array(0);

export const DEFAULT_LIMITS: WindowLimits = {
  maxAckedRanges: 10_000,
  maxAckedAhead: 100_000,
  maxOutstanding: 1_000_000,
  maxParked: 100_000,
};

/**
 * States of a matching event. "Unit" is a stream under BY_STREAM; an event without stream, and every event under NONE, is
 * a unit of its own.
 *
 * | state     | entered when                                              | left when                                         |
 * |-----------|-----------------------------------------------------------|---------------------------------------------------|
 * | unseen    | it is stored (after `scan.position`)                      | offered by the scan: held, in flight or done      |
 * | held      | offered while its stream waits, or its stream's member    | re-read and delivered: in flight; re-read with a  |
 * |           | has no credit; only the first of a stream is remembered   | stored failure record not due: waiting            |
 * | in flight | a delivery mints a lease                                  | answered: done, waiting (RETRY) or parked; its    |
 * |           |                                                           | clock runs out, an earlier event of its stream    |
 * |           |                                                           | returns, its member goes: waiting, or parked      |
 * | waiting   | it returned; until `notBeforeMs` it is not delivered      | delivered: in flight; answered late: done, parked |
 * | done      | acknowledged, skipped, or no longer stored (`gone`)       | never in this generation                          |
 * | parked    | rejected with PARK, or attempts or losses used up while   | `replay`: queued; `discard` or a late ack: done   |
 * |           | there is room among the parked ones                       |                                                   |
 * | queued    | replayed by an operator; parked for the offset            | in flight as a replay; back to parked when its    |
 * |           |                                                           | attempts are used up again; answered, discarded:  |
 * |           |                                                           | done                                              |
 *
 * A seek sends every event after its target back to unseen.
 *
 * Invariants:
 * - The offset passes a matching event only when it is done or parked, never passes `scan.position`, and falls only by a seek.
 * - The open events of a stream are, in position order: in flight ones (all with one member), then waiting ones, then held
 *   ones. So nothing of a stream is delivered past an open event that was not delivered before it in this run.
 * - A member's use never passes its credit, but for one event alone that is larger than the byte limit.
 * - An attempt is raised only for the event whose own clock ran out or that was itself rejected with RETRY, once for a delivery.
 * - The time that a member asked for is over when the event comes back from it, unless the server sent it away; a later owner
 *   keeps to it.
 * - A lease is minted once.
 * - While it is paused nothing becomes in flight: redeliveries and re-reads name nothing, offers are refused as without credit.
 *
 * How to drive it; one call at a time, and after each change (an answer, a timer, a member) again from the top:
 * 1. `redeliveries.expire`; while `unsaved.anyFailure`, store what `unsaved.take` gives before the next step.
 * 2. `redeliveries.next` → read those positions → `gone` for the missing ones → `offer` the others in position order.
 * 3. `rereads.next` → read each stream → `rereads.offer` in position order → `rereads.passedTo`.
 * 4. read after `scan.position` → `scan.offer` in position order → `scan.passedTo`.
 * 5. send what was delivered; sleep until something arrives or `redeliveries.nextWakeAt`.
 * Steps 2 and 3 come before 4, so that new events do not take the credit that older ones wait for. After each `await` of a
 * read compare `era` with that before it, and drop what was read if it differs.
 *
 * Times are milliseconds of one clock that never jumps; a `now` that lies before an earlier one counts as that earlier one.
 */
export class DeliveryWindow {
  readonly members: DeliveryMembers;
  readonly scan: DeliveryScan;
  readonly rereads: DeliveryRereads;
  readonly redeliveries: DeliveryRedeliveries;
  readonly answers: DeliveryAnswers;
  readonly parked: ParkedEvents;
  readonly unsaved: UnsavedChanges;
  readonly report: DeliveryReport;
  readonly #state: DeliveryState;
  readonly #failing: FailingTransitions;

  constructor({ settings, state: stored, limits, random }: DeliveryWindowOptions) {
    const state = new DeliveryState(
      settings,
      stored,
      limits === undefined ? DEFAULT_LIMITS : { ...DEFAULT_LIMITS, ...limits },
    );
    const failing = new FailingTransitions(state, random);
    this.#state = state;
    this.#failing = failing;
    this.parked = failing;
    this.members = new DeliveryMembers(state, failing);
    this.scan = new DeliveryScan(state);
    this.rereads = new DeliveryRereads(state);
    this.redeliveries = new DeliveryRedeliveries(state, failing);
    this.answers = new DeliveryAnswers(state, failing);
    this.unsaved = new UnsavedChanges(state);
    this.report = new DeliveryReport(state, this.scan);
  }

  get leases(): LeaseSupply {
    return this.#state.leases;
  }

  get settings(): WindowSettings {
    return this.#state.settings;
  }

  get generation(): number {
    return this.#state.generation;
  }

  /** Rises when all that was read before has to be dropped, as the scan begins anew: a seek, another ordering. */
  get era(): number {
    return this.#state.era;
  }

  /** The position at or below which everything that matches is done or parked. */
  get offset(): Position {
    return this.#state.progress.offset;
  }

  /**
   * Begins a new generation after this position: a seek, a reset or a changed filter. Everything in flight, waiting and
   * done is forgotten, older leases are stale, members stay. Parked events after the position leave the parked list;
   * queued replays at or before it stay queued.
   *
   * `acked`, as in WindowState: what is done after the position all the same. What is parked or queued in there stays so.
   */
  seek(position: Position, generation: number, acked: Uint8Array = NOTHING): void {
    const { leases, failures, settings } = this.#state;
    const done = storedRanges(acked);
    this.#state.generation = generation;
    this.#state.generationOffset = position;
    leases.beginGeneration();
    for (const { position: at, state } of failures.all()) {
      if (state === 'RETRY' || (at > position && !done.has(at))) failures.over(at);
    }
    this.#begin(settings, position, done);
  }

  /** Takes other settings. Another `ordering` begins the scan anew, see `restart`. */
  configure(settings: WindowSettings): void {
    if (settings.ordering === this.#state.settings.ordering) {
      this.#state.settings = settings;
      this.#state.clocks.setAckTimeout(settings.ackTimeoutMs);
    } else {
      this.restart(settings);
    }
  }

  /**
   * Begins the scan anew from the offset, in the same generation: what was in flight is delivered again unless it is
   * acknowledged before, and attempts and what is done are kept.
   */
  restart(settings: WindowSettings = this.settings): void {
    const { leases, failures, progress } = this.#state;
    leases.forget();
    failures.unclaim();
    this.#begin(settings, progress.offset, [...progress.acked]);
  }

  #begin(settings: WindowSettings, offset: Position, acked: Iterable<readonly [Position, Position]>): void {
    this.#state.begin(settings, offset, acked);
    this.#failing.begin();
  }
}
