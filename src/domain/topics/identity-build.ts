// Identities of the events of a topic by other description paths than it had: they are built over what is stored, while pushes go on to obey
// the former paths, and then pushes obey the others, from one group to the next. Of events that have one identity the first keeps it.

import type { EventId, Micros, Position } from '../../units.js';

/** What pushes have to know of a build that is under way. */
export interface PendingIdentities {
  /** Ids are never used again. */
  readonly buildId: number;
  /** The description paths that pushes obey until it is done. */
  readonly inForce: readonly string[];
  /** Everything stored after this position gets its new identity from its own group. */
  readonly watchedAfter: Position;
}

/** How far a build has come, and what it found. */
export interface IdentityBuild extends PendingIdentities {
  /** What was stored before is looked at up to here. */
  readonly builtTo: Position;
  /** Events that have an identity now. */
  readonly identified: number;
  /** Events that have none: their payloads are no JSON, or have nothing at one of the paths. */
  readonly unidentified: number;
  /** Events, of those with an identity, that have that of an earlier one. */
  readonly repeated: number;
  /** The first of these. */
  readonly repeatedIds: readonly EventId[];
  readonly startedAt: Micros;
  /** Undefined: it is under way. */
  readonly endedAt: Micros | undefined;
}

/** Events that are named of those that have the identity of an earlier one. */
export const MAX_REPEATED_IDS = 10;
