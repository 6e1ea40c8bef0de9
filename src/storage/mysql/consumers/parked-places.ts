// Places of parked events that a group replaces: read before it decides, taken at its end. The row of a consumer is the last one that
// a group locks, so what was read may have changed until then.

import {
  type ParkedPlace,
  type ParkedState,
  parkedKey,
  type ReplacedPlace,
} from '../../../domain/group/group-plan-types.js';
import type { Position } from '../../../units.js';
import type { Queries } from '../sql/database.js';
import { FAILURE_STATES } from './consumer-rows.js';

const READ = `
  SELECT c.owner_epoch, t.state, (SELECT MAX(e.position) FROM erasure e) AS newest_erasure FROM consumer c FORCE INDEX (PRIMARY)
  LEFT JOIN consumer_trouble t FORCE INDEX (PRIMARY) ON t.consumer_id = c.id AND t.position = ?
  WHERE c.id = ? AND c.deleted_at IS NULL`;
const LOCK_OWNED =
  'SELECT id FROM consumer FORCE INDEX (PRIMARY) WHERE id = ? AND owner_epoch = ? AND deleted_at IS NULL FOR UPDATE';
const TAKE = `DELETE FROM consumer_trouble WHERE consumer_id = ? AND position = ? AND state = ${FAILURE_STATES.PARKED}`;

interface PlaceRow {
  readonly owner_epoch: number;
  readonly state: number | null;
  readonly newest_erasure: Position | null;
}

/** What is at the places, by their keys. */
export async function readParked(
  queries: Queries,
  places: readonly ReplacedPlace[],
  onTrip: () => void,
): Promise<Map<string, ParkedState>> {
  const states = new Map<string, ParkedState>();
  for (const place of places) {
    onTrip();
    const [row] = await queries.execute<PlaceRow>(READ, [place.position, place.consumerId]);
    states.set(parkedKey(place), stateOf(place, row));
  }
  return states;
}

function stateOf({ ownerEpoch, erasedTo }: ReplacedPlace, row: PlaceRow | undefined): ParkedState {
  if (row?.owner_epoch !== ownerEpoch) return 'lost';
  if (row.state === FAILURE_STATES.PARKED) return (row.newest_erasure ?? 0) > erasedTo ? 'outdated' : 'parked';
  return row.state === FAILURE_STATES.REPLAY ? 'replaying' : 'empty';
}

/** Takes the parked events away; false: one of them is not parked any more, or not the owner's to take. */
export async function takeParked(
  queries: Queries,
  places: readonly ParkedPlace[],
  onTrip: () => void,
): Promise<boolean> {
  const sorted = [...places].sort((a, b) => a.consumerId - b.consumerId || a.position - b.position);
  for (const { consumerId, ownerEpoch, position } of sorted) {
    onTrip();
    const owned = await queries.execute(LOCK_OWNED, [consumerId, ownerEpoch]);
    onTrip();
    const taken = owned.length === 1 && (await queries.write(TAKE, [consumerId, position])).affectedRows === 1;
    if (!taken) return false;
  }
  return true;
}
