// Changes of consumers by management calls. Each is a unit of a group (ManageUnit) that is stored together with its entry of the audit:
// both or neither, once, and two at the same time one after the other.
//
// To add a call:
// 1. here: a type of change, in ConsumerChange, and what it does in `done`: `changed`, or `unchanged`, which stores nothing at all;
// 2. storage/mysql/consumers/consumer-changes.ts: a case of `apply`, statements that are guarded by what the plan was told;
// 3. engine: what says before and after (as `ConsumerChanges.seek`), handed to `Management.change`; what is kept in memory follows
//    the answer, in the consumer's turn and with `ConsumerProgress.apart`: no group waits for a row that its instance writes besides.
// A change of the catalogue, or a push, is a unit of its own: it takes the entry along as its `audit` instead.

import type { Micros, Position } from '../../units.js';
import type { ConsumerKey, ConsumerSettings } from '../consumers/consumer.js';
import type { ConsumerPause } from '../consumers/managed/consumer-pause.js';
import type { SavedPlace } from '../consumers/managed/consumer-snapshot.js';
import type { OffsetMove } from '../consumers/managed/offset-move.js';

/** A new generation of a consumer: where it begins, and its first lease. */
export interface GenerationStart {
  readonly generation: number;
  readonly firstLease: number;
  readonly offset: Position;
}

interface OfConsumer {
  readonly key: ConsumerKey;
}

/** A change of a consumer that this instance runs: once another one has come it is not his to make. */
interface OfHeld extends OfConsumer {
  readonly hold: { readonly id: number; readonly epoch: number };
}

/** A consumer comes into being, unless there is one of its name. */
export interface ConsumerCreation extends OfConsumer {
  readonly kind: 'create';
  readonly settings: ConsumerSettings;
  readonly offset: Position;
  readonly createdAt: Micros;
  /** Who creates it, in their own words. */
  readonly by: string;
  /** See ConsumerSeek. */
  readonly fromOldest?: boolean;
}

/** Other settings, and the generation that begins with them if they select otherwise. */
export interface ConsumerConfiguration extends OfHeld {
  readonly kind: 'configure';
  readonly settings: ConsumerSettings;
  readonly start: GenerationStart | undefined;
}

/** Another place. */
export interface ConsumerSeek extends OfHeld {
  readonly kind: 'seek';
  readonly start: GenerationStart;
  /** What is done above the offset, in the delivery window's own form. */
  readonly acked: Uint8Array;
  readonly movedAt: Micros | undefined;
  /** What is kept of it. */
  readonly move: OffsetMove;
  /** Whether it begins with the oldest event that there is: then nobody is told of what was deleted. */
  readonly fromOldest?: boolean;
}

/** Parked events are asked for again, or taken from the list; among the latter also what was asked for again. */
export interface ParkedChange extends OfHeld {
  readonly kind: 'replay' | 'discard';
  readonly positions: readonly Position[];
}

/** The consumer is paused, or, with undefined, not any more. */
export interface ConsumerPausing extends OfHeld {
  readonly kind: 'pause';
  readonly pause: ConsumerPause | undefined;
}

/** The place of the consumer is kept under a name, instead of one that has it. */
export interface SnapshotSaving extends OfHeld {
  readonly kind: 'save-snapshot';
  readonly place: SavedPlace;
}

/** A place that was kept goes. */
export interface SnapshotDeletion extends OfHeld {
  readonly kind: 'delete-snapshot';
  readonly name: string;
}

/** The consumer goes, and all that is kept of it but its name. */
export interface ConsumerDeletion extends OfHeld {
  readonly kind: 'delete';
}

/** Changes of a consumer that this instance runs. */
export type HeldChange =
  | ConsumerConfiguration
  | ConsumerSeek
  | ParkedChange
  | ConsumerPausing
  | SnapshotSaving
  | SnapshotDeletion
  | ConsumerDeletion;

export type ConsumerChange = ConsumerCreation | HeldChange;

/** A consumer as a group finds it. */
export interface FoundConsumer {
  readonly id: number;
  readonly epoch: number;
  readonly isDeleted: boolean;
  /** What is at the positions that changes name: whether it is asked for again. Others are not parked. */
  readonly parked: ReadonlyMap<Position, { readonly replaying: boolean }>;
}

/** `gone`: something that it names is parked no more, as its event was deleted. `lost`: another instance has it, or it is gone. */
export type ChangeEffect = 'changed' | 'unchanged' | 'gone' | 'lost';

/** What a change does, and the consumer after it. */
export type DoneChange =
  | { readonly effect: 'changed'; readonly consumer: FoundConsumer }
  | { readonly effect: 'unchanged' | 'gone' | 'lost' };

/**
 * Whether a change may bring a durable consumer back to before where it was, or have it select what it did not: what a deletion takes at
 * the same time would go untold.
 */
export function mayFallBack(change: ConsumerChange): boolean {
  return change.kind === 'create' || change.kind === 'configure' || change.kind === 'seek';
}

const NOTHING_PARKED: FoundConsumer['parked'] = new Map();
const UNCHANGED: DoneChange = { effect: 'unchanged' };
const GONE: DoneChange = { effect: 'gone' };
const LOST: DoneChange = { effect: 'lost' };

/** What becomes of the consumer that was found by the change's key; undefined: there is none, nor was one. */
export function done(change: ConsumerChange, found: FoundConsumer | undefined): DoneChange {
  if (change.kind === 'create') {
    // It has its id once it is stored, and no owner.
    const { id, isDeleted } = found ?? { id: 0, isDeleted: true };
    return isDeleted ? changed({ id, epoch: 0, isDeleted: false, parked: NOTHING_PARKED }) : UNCHANGED;
  }
  const { id, epoch } = change.hold;
  if (found?.id !== id || found.epoch !== epoch || found.isDeleted) return LOST;
  switch (change.kind) {
    case 'replay':
    case 'discard':
      return parkedChanged(change, found);
    case 'delete':
      return changed({ ...found, isDeleted: true, parked: NOTHING_PARKED });
    default:
      return changed(found);
  }
}

function changed(consumer: FoundConsumer): DoneChange {
  return { effect: 'changed', consumer };
}

/** Who runs a consumer knows what is parked, but for what is deleted: if it is replayed by somebody else, it is not he who runs it. */
function parkedChanged({ kind, positions }: ParkedChange, found: FoundConsumer): DoneChange {
  if (kind === 'replay' && positions.some((at) => found.parked.get(at)?.replaying)) return LOST;
  if (!positions.every((at) => found.parked.has(at))) return GONE;
  const parked = new Map(found.parked);
  for (const position of positions) {
    if (kind === 'replay') parked.set(position, { replaying: true });
    else parked.delete(position);
  }
  return changed({ ...found, parked });
}
