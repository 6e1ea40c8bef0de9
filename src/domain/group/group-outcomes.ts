// What became of the units of a group, by their kinds.

import type { EventId, Micros, Position } from '../../units.js';
import type { MadeCawin } from '../cawins/prepared-cawin.js';
import type { MadeleineError } from '../errors.js';
import type { LogEntry } from '../events/event.js';
import type { StreamState } from '../events/stream.js';
import type { ChangeEffect } from '../management/consumer-change.js';
import type { EventOutcome, Wait } from '../waits/wait.js';
import type { GroupUnit } from './group-plan-types.js';

/** The outcome of each kind of unit. */
interface OutcomeByKind {
  readonly push: Pushed;
  readonly observe: Observed | Refused;
  readonly transfer: Transferred | Refused;
  readonly truncate: Truncated | Refused;
  readonly invalidate: Invalidated | Refused;
  readonly expire: Expired;
  readonly watch: Watching | Refused;
  readonly ready: Ready;
  readonly drop: Dropped | Refused;
  readonly register: Registered | Refused;
  readonly update: Updated | Refused;
  readonly unregister: Unregistered | Refused;
  readonly identified: Identified | Refused;
  readonly context: ContextUpdated;
  readonly manage: Managed;
  readonly erase: Erasing;
  readonly blank: Blanked;
  readonly resume: Resumed;
}

export type OutcomeOf<U extends GroupUnit> = OutcomeByKind[U['kind']];

export type UnitOutcome = OutcomeOf<GroupUnit>;

export interface Refused {
  readonly kind: 'refused';
  readonly error: MadeleineError;
}

/** One outcome a push, in order. */
export interface Pushed {
  readonly kind: 'pushed';
  readonly pushes: readonly PushOutcome[];
}

/** What became of one push. */
export type PushOutcome =
  /** `satisfied`: it ended waits. */
  | { readonly kind: 'occurred'; readonly entry: LogEntry; readonly satisfied: boolean }
  | ({ readonly kind: 'awaited'; readonly wait: Wait } & WithCawin)
  /** An event fits the description: it occurred at `position`, or, at 0, is awaited as well. */
  | ({ readonly kind: 'found'; readonly eventId: EventId; readonly position: Position } & WithCawin)
  /**
   * Stored before; `position` is the first one's, or 0: then `eventId` is what it found or began to await. `own`: by this very
   * call, whose COMMIT had not been answered; `satisfied` is then what it did.
   */
  | {
      readonly kind: 'duplicate';
      readonly position: Position;
      readonly eventId: EventId;
      readonly own?: boolean;
      readonly satisfied?: boolean;
      /** When the push was stored, where that is known; it is told of an event that is not stored any more. */
      readonly createdAt?: Micros | undefined;
    }
  /** Nobody registered its topic: nothing is stored. `isRepeated`: that was so when it came first, too. */
  | { readonly kind: 'discarded'; readonly isRepeated: boolean }
  /**
   * `fault`: index in the unit of the push that is to blame; in an atomic unit it may be another one. `isUnindexed`: there is no index
   * to look for its description in; once it is made, the push may come again.
   */
  | (Refused & { readonly fault: number; readonly isUnindexed?: boolean });

export interface Observed extends WithCawin {
  readonly kind: 'observed';
  readonly event: EventOutcome;
}

/** The stream belongs to its new owner, by this unit or (a repeated call) before. */
export interface Transferred {
  readonly kind: 'transferred';
  readonly stream: StreamState;
  /** Whether it is by this unit. */
  readonly changed: boolean;
}

/** The stream is truncated, by this unit or (a repeated call) before. */
export interface Truncated {
  readonly kind: 'truncated';
  readonly stream: StreamState;
  /** Whether it is by this unit. */
  readonly changed: boolean;
}

/** Withdrawn, by this unit or (a repeated call) before. */
export interface Invalidated {
  readonly kind: 'invalidated';
  readonly eventId: EventId;
}

export interface Expired {
  readonly kind: 'expired';
  readonly count: number;
}

export interface Watching {
  readonly kind: 'watching';
  /** Whether it is by this unit, not by one before. */
  readonly created: boolean;
}

export interface Ready {
  readonly kind: 'ready';
}

/** These shapes are watched no more. */
export interface Dropped {
  readonly kind: 'dropped';
  readonly shapeIds: readonly number[];
}

/** The topic has these settings, by this unit (`created`) or before. */
export interface Registered {
  readonly kind: 'registered';
  readonly created: boolean;
}

/** The topic has these settings; `outdated`: nothing was done, as it has other ones than the caller saw. */
export interface Updated {
  readonly kind: 'updated';
  readonly effect: 'changed' | 'same' | 'outdated';
}

/** The topic is registered no more; `outdated` as of an update. */
export interface Unregistered {
  readonly kind: 'unregistered';
  readonly effect: 'changed' | 'outdated';
}

/** The context has these settings; `outdated` as of an update of a topic. */
export interface ContextUpdated {
  readonly kind: 'context-updated';
  readonly effect: 'changed' | 'same' | 'outdated';
}

/** The identities that were built are those that pushes obey, from this group on; false: that build is none any more. */
export interface Identified {
  readonly kind: 'identified';
  readonly isInForce: boolean;
}

/** What became of a change of a consumer. */
export interface Managed {
  readonly kind: 'managed';
  readonly effect: ChangeEffect;
}

/** The erasure is decided, by this unit or (run again) before: it has the position of its entry of the audit. */
export interface Erasing {
  readonly kind: 'erasing';
  readonly position: Position;
}

/** So many events have no content any more that had one. */
export interface Blanked {
  readonly kind: 'blanked';
  readonly events: number;
}

/** Retention goes on, by this unit or by an earlier attempt of it. */
export interface Resumed {
  readonly kind: 'resumed';
  readonly changed: boolean;
}

/** Whether a unit has changed something that an entry of the audit tells of. */
export function hasChanged(outcome: UnitOutcome): boolean {
  switch (outcome.kind) {
    case 'pushed':
      return outcome.pushes.some(({ kind }) => kind === 'occurred');
    case 'registered':
      return outcome.created;
    case 'transferred':
    case 'truncated':
    case 'resumed':
      return outcome.changed;
    case 'managed':
    case 'updated':
    case 'unregistered':
    case 'context-updated':
      return outcome.effect === 'changed';
    default:
      return outcome.kind === 'dropped' || outcome.kind === 'erasing';
  }
}

interface WithCawin {
  /** The index of its cawin among those that the group makes; undefined: it came without one. */
  readonly cawinAt?: number | undefined;
  /** The cawin that went with the unit, once it is made. */
  readonly cawin?: MadeCawin | undefined;
}

/** The outcome with the cawin that the group made for it. */
export function withCawins(outcome: UnitOutcome, made: readonly MadeCawin[]): UnitOutcome {
  if (made.length === 0) return outcome;
  if (outcome.kind === 'observed') return withCawin(outcome, made);
  if (outcome.kind !== 'pushed') return outcome;
  const pushes = outcome.pushes.map((push) =>
    push.kind === 'awaited' || push.kind === 'found' ? withCawin(push, made) : push,
  );
  return { ...outcome, pushes };
}

function withCawin<T extends WithCawin>(outcome: T, made: readonly MadeCawin[]): T {
  return outcome.cawinAt === undefined ? outcome : { ...outcome, cawin: made[outcome.cawinAt] };
}
