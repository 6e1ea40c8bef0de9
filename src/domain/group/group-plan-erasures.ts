// The part of a group's plan that is about erasures: what is decided, and which events lose their content with it.

import type { EventId, Micros, Position } from '../../units.js';
import { erasedEntry } from '../erasure/erased-entry.js';
import { type BegunErasure, bornAt, isErasable } from '../erasure/erasure.js';
import { EntryKind, isJsonContentType, type LogEntry } from '../events/event.js';
import type { Blanked, Erasing } from './group-outcomes.js';
import { keysOf } from './group-plan-needs.js';
import {
  type Blanking,
  type BlankUnit,
  type EraseUnit,
  type ErasureWrites,
  type IndexedValues,
  type LockedState,
  type StoredEvent,
  storedBefore,
} from './group-plan-types.js';
import type { WaitPlanner } from './group-plan-waits.js';
import type { ShapeCatalog } from './shape-catalog.js';

/** Where the entry of the audit goes that tells of an erasure. */
interface NextPlace {
  readonly position: Position;
  readonly createdAt: Micros;
  readonly eventId: EventId;
}

export class ErasurePlanner {
  readonly #locked: LockedState;
  readonly #catalog: ShapeCatalog;
  readonly #begun: BegunErasure[] = [];
  readonly #waits: Pick<WaitPlanner, 'erase'>;

  #blanked: Blanking | undefined;

  constructor(locked: LockedState, catalog: ShapeCatalog, waits: Pick<WaitPlanner, 'erase'>) {
    this.#locked = locked;
    this.#catalog = catalog;
    this.#waits = waits;
  }

  writes(): ErasureWrites | undefined {
    const isNothing = this.#begun.length === 0 && this.#blanked === undefined;
    return isNothing ? undefined : { begun: this.#begun, blanked: this.#blanked };
  }

  begin({ target, audit }: EraseUnit, { position, createdAt, eventId }: NextPlace): Erasing {
    const before = storedBefore(this.#locked, audit);
    if (before !== undefined) return { kind: 'erasing', position: before.position };
    this.#begun.push({ target, position, decidedAt: createdAt, beforeEventId: eventId });
    return { kind: 'erasing', position };
  }

  blank({ erasure, eventIds, waitIds, upTo }: BlankUnit): Blanked {
    const { decidedAt } = erasure;
    const found = eventIds.flatMap((eventId) => entriesOf(eventId, this.#stored(eventId), decidedAt));
    const waits = waitIds.filter((eventId) => this.#hasAwaited(eventId));
    for (const eventId of waitIds) this.#waits.erase(eventId, decidedAt);
    const events = new Set([...found.map(({ eventId }) => eventId), ...waits]).size;
    this.#blanked = {
      ...{ erasure: erasure.position, upTo, eventIds, waitIds, events },
      entries: found.map((entry) => erasedEntry(entry, decidedAt)),
      unindexed: found.flatMap((entry) => this.#valuesOf(entry)),
    };
    return { kind: 'blanked', events };
  }

  #stored(eventId: EventId): StoredEvent | undefined {
    return this.#locked.waits?.events.get(eventId);
  }

  /** Whether there is something left of what was awaited under the id. */
  #hasAwaited(eventId: EventId): boolean {
    const { wait } = this.#stored(eventId) ?? {};
    return wait !== undefined && wait.description !== '';
  }

  /** What the event is found by. */
  #valuesOf({ kind, context, topic, payload, position }: LogEntry): readonly IndexedValues[] {
    const watched = this.#catalog.of(context, topic);
    if (kind !== EntryKind.OCCURRED || watched === undefined) return [];
    if (payload === undefined || !isJsonContentType(payload.contentType)) return [];
    return keysOf({ context, topic, payload: payload.bytes }, watched.matcher).map((key) => ({ key, position }));
  }
}

/** The event's own entries that have content, if it began before: under the id of a wait, those of what ended it are another event's. */
function entriesOf(eventId: EventId, stored: StoredEvent | undefined, decidedAt: Micros): readonly LogEntry[] {
  return (stored?.entries ?? []).filter((entry) => {
    const isCovered = entry.eventId === eventId && isErasable(entry) && bornAt(entry) < decidedAt;
    return isCovered && entry.rest?.erasedAt === undefined;
  });
}
