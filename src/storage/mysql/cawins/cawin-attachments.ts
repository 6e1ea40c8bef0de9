// Cawins that come with a unit of a group: made in the transaction that finds, awaits or names their event, under the head row.

import { bug } from '../../../domain/errors.js';
import type { EventFate } from '../../../domain/events/wait.js';
import type { PlannedAttachment } from '../../../domain/group/group-plan-types.js';
import type { Micros } from '../../../units.js';
import type { CawinAttachment, CawinDeadline, CawinDraft, Seal } from '../../ports/cawin-storage.js';
import type { Queries } from '../sql/database.js';
import { NOW_MICROS } from '../sql/database-time.js';
import { type Fate, readFates } from './cawin-fate.js';
import { formerIds, insertCawins, type NewCawin, requestKey } from './cawin-writes.js';

const NOW = `SELECT GREATEST(${NOW_MICROS}, created_at) AS now FROM log_head WHERE id = 1`;
const STILL_THERE = 'SELECT id FROM cawin WHERE id = ? AND event_id = ? AND digest = ?';
/** The group's time and the statement's differ by less: deadlines so close are one. */
const SAME_MICROS = 1_000_000;
/** Cawins that are made together: their headers may be long, and a packet for the database may not. */
const CHUNK = 100;

export interface PreparedCawinParts {
  readonly draft: CawinDraft;
  readonly seal: Seal;
  readonly endpoint: number;
  readonly deadline: CawinDeadline;
}

/** A cawin that is not stored yet. */
export class PreparedCawin implements CawinAttachment {
  readonly parts: PreparedCawinParts;
  /** Of the last run of the group: a group may be repeated. */
  made: CawinAttachment['made'];

  constructor(parts: PreparedCawinParts) {
    this.parts = parts;
  }
}

/** Makes the cawins; runs within the group's transaction, and again if the group does. */
export async function writeCawins(queries: Queries, attachments: readonly PlannedAttachment[]): Promise<void> {
  for (let from = 0; from < attachments.length; from += CHUNK) {
    await writeChunk(queries, attachments.slice(from, from + CHUNK).map(wantedOf));
  }
}

interface Wanted {
  readonly cawin: PreparedCawin;
  readonly planned: EventFate;
}

function wantedOf({ attachment, fate }: PlannedAttachment): Wanted {
  if (!(attachment instanceof PreparedCawin)) throw bug('an attachment that is no cawin');
  return { cawin: attachment, planned: fate };
}

interface Known {
  readonly now: Micros;
  readonly fates: ReadonlyMap<number, Fate>;
  /** Cawins by requestKey. */
  readonly formers: ReadonlyMap<string, number>;
}

async function writeChunk(queries: Queries, wanted: readonly Wanted[]): Promise<void> {
  const known = await readKnown(queries, wanted);
  /** What is new, by its request id: of several in one group the first makes it. */
  const fresh = new Map<unknown, { readonly cawin: NewCawin; readonly askers: PreparedCawin[] }>();
  for (const one of wanted) {
    const key = keyOf(one, known);
    const id = known.formers.get(key ?? '') ?? (await idOfFormerRun(queries, one));
    const { made } = one.cawin;
    if (id !== undefined) one.cawin.made = { id, created: made?.id === id && made.created };
    else if (key !== undefined && fresh.has(key)) fresh.get(key)?.askers.push(one.cawin);
    else fresh.set(key ?? one, { cawin: newCawin(one, known), askers: [one.cawin] });
  }
  const made = [...fresh.values()];
  const ids = await insertCawins(
    queries,
    made.map(({ cawin }) => cawin),
    known.now,
  );
  for (const [index, { askers }] of made.entries()) {
    for (const [place, asker] of askers.entries()) asker.made = { id: ids[index] ?? 0, created: place === 0 };
  }
}

async function readKnown(queries: Queries, wanted: readonly Wanted[]): Promise<Known> {
  const [head] = await queries.query<{ now: number }>(NOW);
  if (head === undefined) throw bug('log_head has no row');
  const fates = await readFates(queries, [...new Set(wanted.map(({ planned }) => planned.eventId))]);
  const requests = wanted.map(({ cawin, planned }) => ({
    contextId: fateOf(fates, planned).contextId,
    requestId: cawin.parts.draft.requestId,
  }));
  return { now: head.now, fates, formers: await formerIds(queries, requests) };
}

function fateOf(fates: Known['fates'], { eventId }: EventFate): Fate {
  const fate = fates.get(eventId);
  if (fate === undefined) throw bug(`event ${eventId} is not there for its cawin`);
  return fate;
}

/** Undefined: without a request id it is like no other. */
function keyOf({ cawin, planned }: Wanted, { fates }: Known): string | undefined {
  const { requestId } = cawin.parts.draft;
  return requestId === '' ? undefined : requestKey(fateOf(fates, planned).contextId, requestId);
}

function newCawin({ cawin, planned }: Wanted, { fates, now }: Known): NewCawin {
  const { deadline, ...parts } = cawin.parts;
  const expiresAt = ownDeadline(deadline, planned.expiresAt, now);
  return { ...parts, eventId: planned.eventId, fate: fateOf(fates, planned), expiresAt };
}

/** Of a run of the group whose COMMIT was executed although nobody was told. */
async function idOfFormerRun(queries: Queries, { cawin, planned }: Wanted): Promise<number | undefined> {
  const { made, parts } = cawin;
  if (made === undefined) return undefined;
  const rows = await queries.execute<{ id: number }>(STILL_THERE, [made.id, planned.eventId, parts.draft.digest]);
  return rows[0]?.id;
}

/** Kept also where it is the event's own, which another asker may raise. */
function ownDeadline(deadline: CawinDeadline, ofEvent: Micros | undefined, now: Micros): Micros | undefined {
  if (deadline === undefined || 'at' in deadline) return deadline?.at;
  if (ofEvent === undefined) return undefined;
  const own = now + deadline.wait;
  return own < ofEvent - SAME_MICROS ? own : ofEvent;
}
