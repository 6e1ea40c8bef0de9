// Where events lie in the log that are named by ids, many at a time. What is told of them is visible and durable, as one event is that
// EventQueries looks up.

import type { DurableReads, EventPlaceStore } from '../../storage/ports/log-storage.js';
import type { EventId, Position } from '../../units.js';
import type { EventPositions, EventPositionsLookUp, NamedEvents } from './event-look-up.js';
import type { LogTail } from './log-tail.js';

export interface EventPlacesOptions {
  readonly store: EventPlaceStore;
  readonly durableReads: DurableReads;
  readonly tail: Pick<LogTail, 'visible' | 'reach'>;
}

/** What was found, and what it rests on. */
interface Found extends EventPositions {
  /** The newest of the positions; 0: none. */
  readonly last: Position;
  /** Whether a push names one that left no entry: nothing else tells whether that is durable. */
  readonly isUnsure: boolean;
}

export class EventPlaces implements EventPositionsLookUp {
  readonly #options: EventPlacesOptions;

  constructor(options: EventPlacesOptions) {
    this.#options = options;
  }

  /** See EventPositionsLookUp. */
  async positionsOf(events: NamedEvents): Promise<EventPositions> {
    const { durableReads, tail } = this.#options;
    const read = () => this.#find(events);
    const found = await durableReads.durable(read, ({ isUnsure, last }) => isUnsure || last > tail.visible);
    await tail.reach(found.last);
    return found;
  }

  async #find({ eventIds, context, messageIds }: NamedEvents): Promise<Found> {
    const { store } = this.#options;
    const pushed = messageIds.length === 0 ? undefined : await store.pushedAs(context, messageIds);
    const ofMessages = messageIds.map((messageId) => pushed?.get(messageId));
    // No greater one was ever given out.
    const ids = eventIds.map((id): EventId => (id > Number.MAX_SAFE_INTEGER ? 0 : Number(id)));
    const asked = [...ids, ...ofMessages.map((event) => event?.eventId ?? 0)].filter((id) => id > 0);
    const positions = asked.length === 0 ? new Map<EventId, readonly Position[]>() : await store.positionsOf(asked);
    const positionsAt = (id: EventId | undefined) => (id === undefined ? [] : (positions.get(id) ?? []));
    return {
      byEventId: ids.map(positionsAt),
      byMessageId: ofMessages.map((event) => positionsAt(event?.eventId)),
      last: Math.max(0, ...[...positions.values()].flat()),
      isUnsure: ofMessages.some((event) => event?.isEntered === false),
    };
  }
}
