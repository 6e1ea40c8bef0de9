// Cawins that come with a unit of a group: made in the transaction that finds, awaits or names their event, under the head row.

import type { CawinDeadline, MadeCawin } from '../../../domain/cawins/prepared-cawin.js';
import { bug } from '../../../domain/errors.js';
import type { PlannedCawin } from '../../../domain/group/group-plan-types.js';
import type { EventOutcome } from '../../../domain/waits/wait.js';
import type { Micros } from '../../../units.js';
import type { Queries } from '../sql/database.js';
import { NOW_MICROS } from '../sql/database-time.js';
import { readOutcomes, type StoredOutcome } from './cawin-outcome.js';
import { formerIds, insertCawins, type NewCawin, requestKey } from './cawin-writes.js';

const NOW = `SELECT GREATEST(${NOW_MICROS}, created_at) AS now FROM log_head WHERE id = 1`;
const STILL_THERE = 'SELECT id FROM cawin WHERE id = ? AND event_id = ? AND digest = ?';
/** The group's time and the statement's differ by less: deadlines so close are one. */
const SAME_MICROS = 1_000_000;
/** Cawins that are made together: their headers may be long, and a packet for the database may not. */
const CHUNK = 100;

/** Makes the cawins within the group's transaction; one for each, in order. */
export async function writeCawins(queries: Queries, planned: readonly PlannedCawin[]): Promise<readonly MadeCawin[]> {
  const made: MadeCawin[] = [];
  for (let from = 0; from < planned.length; from += CHUNK) {
    made.push(...(await writeChunk(queries, planned.slice(from, from + CHUNK))));
  }
  return made;
}

interface Known {
  readonly now: Micros;
  readonly outcomes: ReadonlyMap<number, StoredOutcome>;
  /** Cawins by requestKey. */
  readonly formers: ReadonlyMap<string, number>;
}

async function writeChunk(queries: Queries, planned: readonly PlannedCawin[]): Promise<readonly MadeCawin[]> {
  const known = await readKnown(queries, planned);
  const made = new Map<PlannedCawin, MadeCawin>();
  /** What is new, by its request id: of several in one group the first makes it. */
  const fresh = new Map<string | PlannedCawin, PlannedCawin[]>();
  for (const one of planned) {
    const former = await formerOf(queries, one, known);
    if (former !== undefined) {
      made.set(one, former);
      continue;
    }
    const key = keyOf(one, known) ?? one;
    fresh.set(key, [...(fresh.get(key) ?? []), one]);
  }
  const askers = [...fresh.values()];
  const cawins = askers.flatMap(([first]) => (first === undefined ? [] : [newCawin(first, known)]));
  const ids = await insertCawins(queries, cawins, known.now);
  for (const [index, asking] of askers.entries()) {
    for (const [place, one] of asking.entries()) made.set(one, { id: ids[index] ?? 0, created: place === 0 });
  }
  return planned.map((one) => made.get(one) ?? neverMade());
}

function neverMade(): never {
  throw bug('a cawin that was not made');
}

/** The cawin that is there already: by its request id, or from a run of the group whose COMMIT was not answered. */
async function formerOf(queries: Queries, one: PlannedCawin, known: Known): Promise<MadeCawin | undefined> {
  const { former } = one.cawin;
  const id = known.formers.get(keyOf(one, known) ?? '') ?? (await idOfFormerRun(queries, one));
  return id === undefined ? undefined : { id, created: former?.id === id && former.created };
}

async function readKnown(queries: Queries, planned: readonly PlannedCawin[]): Promise<Known> {
  const [head] = await queries.query<{ now: number }>(NOW);
  if (head === undefined) throw bug('log_head has no row');
  const outcomes = await readOutcomes(queries, [...new Set(planned.map(({ event }) => event.eventId))]);
  const requests = planned.map(({ cawin, event }) => ({
    contextId: outcomeOf(outcomes, event).contextId,
    requestId: cawin.draft.requestId,
  }));
  return { now: head.now, outcomes, formers: await formerIds(queries, requests) };
}

function outcomeOf(outcomes: Known['outcomes'], { eventId }: EventOutcome): StoredOutcome {
  const outcome = outcomes.get(eventId);
  if (outcome === undefined) throw bug(`event ${eventId} is not there for its cawin`);
  return outcome;
}

/** Undefined: without a request id it is like no other. */
function keyOf({ cawin, event }: PlannedCawin, { outcomes }: Known): string | undefined {
  const { requestId } = cawin.draft;
  return requestId === '' ? undefined : requestKey(outcomeOf(outcomes, event).contextId, requestId);
}

function newCawin({ cawin, event }: PlannedCawin, { outcomes, now }: Known): NewCawin {
  const { draft, seal, endpointId, deadline } = cawin;
  const expiresAt = ownDeadline(deadline, event.expiresAt, now);
  return { draft, seal, endpointId, eventId: event.eventId, outcome: outcomeOf(outcomes, event), expiresAt };
}

/** Finds the cawin that a former run of the group made, if its COMMIT was executed although nobody was told. */
async function idOfFormerRun(queries: Queries, { cawin, event }: PlannedCawin): Promise<number | undefined> {
  const { former, draft } = cawin;
  if (former === undefined) return undefined;
  const rows = await queries.execute<{ id: number }>(STILL_THERE, [former.id, event.eventId, draft.digest]);
  return rows[0]?.id;
}

/** Returns the cawin's own deadline; kept also where it is the event's, which another asker may raise. */
function ownDeadline(deadline: CawinDeadline, ofEvent: Micros | undefined, now: Micros): Micros | undefined {
  if (deadline === undefined || 'at' in deadline) return deadline?.at;
  if (ofEvent === undefined) return undefined;
  const own = now + deadline.wait;
  return own < ofEvent - SAME_MICROS ? own : ofEvent;
}
