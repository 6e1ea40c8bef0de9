// What members answer to deliveries, made durable.

import type { AckStatus, Answer, Rejection } from '../../domain/consumers/delivery-types.js';
import type { DeliveryWindow } from '../../domain/consumers/delivery-window.js';
import { MadeleineError } from '../../domain/errors.js';
import { needsWithdrawn } from '../../domain/events/event-filter.js';
import type { Clock } from '../../lib/clock.js';
import type { Millis, Position } from '../../units.js';
import type { EventPositions, EventPositionsLookUp, NamedEvents } from '../log/event-look-up.js';
import type { LogSource, Selection } from '../log/log-source.js';
import type { ConsumerDispatcher } from './consumer-dispatcher.js';
import type { ConsumerLife } from './consumer-life.js';
import type { ConsumerMembers } from './consumer-members.js';
import type { ConsumerProgress } from './consumer-progress.js';
import { type EventAnswer, eventAnswers, unleasedAnswers } from './named/event-answers.js';

/** Events whose payloads one call looks at; people name a few. */
const MAX_LOOKED_AT = 100;
/** Events that are read at a time for it. */
const LOOKED_AT_AT_ONCE = 8;

/** What one call acknowledges, in this order. */
export interface Acknowledging {
  readonly answers: readonly Answer[];
  /** Events that are named by ids, without leases: by event ids, then by message ids. */
  readonly events: NamedEvents;
  /** Everything in flight up to this position; undefined: nothing more. */
  readonly upTo: Position | undefined;
  /** The member whose events `upTo` acknowledges; undefined: those of all. */
  readonly member: string | undefined;
}

export interface Answered {
  /** The durable offset. */
  readonly offset: Position;
  readonly statuses: readonly AckStatus[];
}

export interface Acknowledged extends Answered {
  readonly byEventId: readonly EventAnswer[];
  readonly byMessageId: readonly EventAnswer[];
  /** Events that `upTo` acknowledged. */
  readonly upTo: number;
}

export interface ConsumerAnswersOptions {
  readonly window: DeliveryWindow;
  readonly life: ConsumerLife;
  readonly members: ConsumerMembers;
  readonly progress: ConsumerProgress;
  readonly dispatcher: ConsumerDispatcher;
  readonly source: LogSource;
  readonly places: EventPositionsLookUp;
  readonly clock: Clock;
}

const NOWHERE: EventPositions = { byEventId: [], byMessageId: [] };

export class ConsumerAnswers {
  readonly #options: ConsumerAnswersOptions;

  constructor(options: ConsumerAnswersOptions) {
    this.#options = options;
  }

  /** Acknowledges, and resolves once the result is durable. */
  async acknowledge({ answers: leased, events, upTo, member }: Acknowledging): Promise<Acknowledged> {
    const { window, members } = this.#options;
    const isNamed = events.eventIds.length + events.messageIds.length > 0;
    const { byEventId, byMessageId } = isNamed ? await this.#positionsOf(events) : NOWHERE;
    const answers = isNamed ? [...leased, ...unleasedAnswers(byEventId), ...unleasedAnswers(byMessageId)] : leased;
    const now = await this.#begin();
    members.answered(answers);
    if (upTo !== undefined) members.answeredUpTo(upTo, member);
    const statuses = window.answers.ack(answers, now);
    const passed = upTo === undefined ? [] : window.answers.ackUpTo(upTo, member, now);
    // Only without a lease can one acknowledge what was not handed out yet.
    if (upTo !== undefined || answers.some(isWithoutLease)) members.markStale();
    const { offset } = await this.#store(answers, statuses);
    const ofEventIds = leased.length + byEventId.flat().length;
    return {
      offset,
      statuses: statuses.slice(0, leased.length),
      byEventId: eventAnswers(byEventId, statuses.slice(leased.length, ofEventIds)),
      byMessageId: eventAnswers(byMessageId, statuses.slice(ofEventIds)),
      upTo: passed.length,
    };
  }

  /** Rejects, and resolves once the result is durable. QUOTA, and nothing is changed, for a PARK without room. */
  async reject(answers: readonly Answer[], rejection: Rejection): Promise<Answered> {
    const { window, life, members } = this.#options;
    const now = await this.#begin();
    if (rejection.action === 'PARK' && !window.answers.mayPark(answers)) throw noRoomToPark();
    members.answered(answers);
    const statuses = window.answers.reject(answers, rejection, now);
    if (rejection.action === 'RETRY') life.noteReturned(statuses.filter((status) => status === 'ACCEPTED').length);
    // The later events of a stream come back too, perhaps before they were handed out.
    members.markStale();
    return this.#store(answers, statuses);
  }

  /** Gives events in flight more time, and resolves once that is durable. */
  async extend(answers: readonly Answer[], ms: Millis): Promise<Answered> {
    const { window, members } = this.#options;
    const now = await this.#begin();
    members.answered(answers);
    const statuses = window.answers.extend(answers, ms, now);
    return this.#store(answers, statuses);
  }

  /** Gives all that is in flight, of a member if one is named, more time; returns how many those are once that is durable. */
  async extendAll(member: string | undefined, ms: Millis): Promise<number> {
    const extended = this.#options.window.answers.extendAll(member, ms, await this.#begin());
    await this.#store([], []);
    return extended;
  }

  /** Looks up where events lie; the consumer counts as used meanwhile. */
  async #positionsOf(events: NamedEvents): Promise<EventPositions> {
    this.#use();
    return this.#options.places.positionsOf(events);
  }

  /** Takes note of an answer; returns the time. What somebody changes meanwhile is changed first: the answer then finds it so. */
  async #begin(): Promise<Millis> {
    const { clock, progress } = this.#options;
    this.#use();
    while (progress.isApart) {
      await progress.whenDone();
      this.#use();
    }
    return clock.monotonicMs();
  }

  #use(): void {
    const { life } = this.#options;
    life.assertRunning();
    life.use();
  }

  /** Has what the answers changed stored. */
  async #store(answers: readonly Answer[], statuses: AckStatus[]): Promise<Answered> {
    const { window, life, members, progress, dispatcher } = this.#options;
    members.wake();
    if (window.scan.isBehindAnswers) await dispatcher.passAnswered();
    if (answers.some(isWithoutLease)) await this.#tellForeign(answers, statuses);
    await progress.flush();
    life.assertRunning();
    return { offset: progress.storedOffset, statuses };
  }

  /**
   * Finds among answers that count as repeated those for events that the consumer never gets, as the offset passed them, and has
   * them UNKNOWN. A lease proves the delivery, so only answers without one are looked up. What is not stored any more cannot be
   * told.
   */
  async #tellForeign(answers: readonly Answer[], statuses: AckStatus[]): Promise<void> {
    const { source, dispatcher } = this.#options;
    const { selection } = dispatcher;
    const asked = [...answers.keys()].filter((index) => answers[index]?.lease === 0 && statuses[index] === 'ALREADY');
    if (asked.length === 0) return;
    const positionOf = (index: number) => answers[index]?.position ?? 0;
    const positions = [...new Set(asked.map(positionOf))];
    const others = await source.othersAt(selection, positions);
    const undescribed = await this.#undescribedAt(
      selection,
      positions.filter((position) => !others.has(position)),
    );
    for (const index of asked) {
      const position = positionOf(index);
      if (others.has(position) || undescribed.has(position)) statuses[index] = 'UNKNOWN';
    }
  }

  /** Returns those of the first positions whose payloads do not have the description by which the consumer selects. */
  async #undescribedAt({ criteria, matches }: Selection, positions: readonly Position[]): Promise<Set<Position>> {
    const found = new Set<Position>();
    if (criteria.description === undefined) return found;
    for (let at = 0; at < Math.min(positions.length, MAX_LOOKED_AT); at += LOOKED_AT_AT_ONCE) {
      const entries = await this.#options.source.readAt(positions.slice(at, at + LOOKED_AT_AT_ONCE));
      for (const entry of entries) if (!needsWithdrawn(criteria, entry) && !matches(entry)) found.add(entry.position);
    }
    return found;
  }
}

function isWithoutLease({ lease }: Answer): boolean {
  return lease === 0;
}

function noRoomToPark(): MadeleineError {
  return new MadeleineError(
    'QUOTA',
    'the consumer has as many parked events as it may: replay or discard some of them',
  );
}
