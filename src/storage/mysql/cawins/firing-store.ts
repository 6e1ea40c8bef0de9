// The making of firings in MySQL: the place in the log up to which it is done, who does it, and the firings themselves. See
// FiringStore for what each method promises.

import { counts, type EndKind, endsForDeadline, isOver, kindsOf } from '../../../domain/cawins/cawin.js';
import { EntryKind } from '../../../domain/events/event.js';
import type { EventId, Micros, Millis, Position } from '../../../units.js';
import { CURSOR_LEASE_MS, type CursorHold, type FiringJob, type FiringStore } from '../../ports/cawin-storage.js';
import type { EndedRuns } from '../../ports/log-storage.js';
import type { Database, Queries } from '../sql/database.js';
import { NOW_MICROS } from '../sql/database-time.js';
import { placeholders } from '../sql/placeholders.js';
import { readOutcomes, type StoredOutcome } from './cawin-outcome.js';
import { addFirings } from './cawin-writes.js';
import { type HeadView, underHead } from './under-head.js';

const LEASE_END = `${NOW_MICROS} + ${CURSOR_LEASE_MS * 1000}`;
const HELD = 'id = 1 AND owner = ? AND owner_epoch = ?';
// A log of another epoch was restored: what it has above its head was never looked at here.
const ACQUIRE = `
  UPDATE firing_cursor SET owner = ?, owner_epoch = owner_epoch + 1, lease_until = ${LEASE_END},
    position = IF(log_epoch = ?, position, LEAST(position, (SELECT h.position FROM log_head h WHERE h.id = 1))), log_epoch = ?
  WHERE id = 1 AND (owner = '' OR owner = ? OR lease_until < ${NOW_MICROS})`;
const RENEW = `UPDATE firing_cursor SET lease_until = ${LEASE_END} WHERE ${HELD}`;
const ADVANCE = `UPDATE firing_cursor SET position = ?, lease_until = ${LEASE_END} WHERE ${HELD}`;
const RELEASE = `UPDATE firing_cursor SET owner = '', lease_until = 0 WHERE ${HELD}`;
const RELEASE_ENDED = "UPDATE firing_cursor SET owner = '', lease_until = 0 WHERE id = 1 AND owner >= ? AND owner < ?";
/**
 * Reads the cawins of one job along the index cawin_event, from the id on. With `event_id = ?` the database reads the event's
 * cawins from the first one on: a million of them in chunks would be read a thousand times.
 */
export const SELECT_CAWINS = `
  (SELECT ? AS job, id, endpoint_id, active, notify_on, expires_at, deadline FROM cawin FORCE INDEX (cawin_event)
   WHERE event_id >= ? AND event_id <= ? AND id > ? ORDER BY event_id, id LIMIT ?)`;
/** Reads one row of the index cawin_deadline. */
const SELECT_NEXT_DEADLINE = `
  SELECT CAST(deadline AS SIGNED) - CAST(${NOW_MICROS} AS SIGNED) AS due_in FROM cawin FORCE INDEX (cawin_deadline) WHERE deadline > 0
  ORDER BY deadline LIMIT 1`;
/** Reads the index cawin_deadline. */
const SELECT_OVERDUE = `
  SELECT id, endpoint_id, active, notify_on, expires_at, deadline, event_id FROM cawin FORCE INDEX (cawin_deadline)
  WHERE deadline <= ? ORDER BY deadline LIMIT ?`;

interface Candidate {
  readonly id: number;
  readonly endpoint_id: number;
  readonly active: number;
  readonly notify_on: number;
  readonly expires_at: Micros | null;
  readonly deadline: number | null;
}

export class MysqlFiringStore implements FiringStore {
  readonly #database: Database;

  constructor({ database }: { readonly database: Database }) {
    this.#database = database;
  }

  /** See FiringStore.acquire. */
  async acquire(owner: string, logEpoch: number): Promise<CursorHold | undefined> {
    const name = Buffer.from(owner);
    const { affectedRows } = await this.#database.write(ACQUIRE, [name, logEpoch, logEpoch, name]);
    if (affectedRows === 0) return undefined;
    const [row] = await this.#database.execute<{ owner_epoch: number; position: Position }>(
      'SELECT owner_epoch, position FROM firing_cursor WHERE id = 1 AND owner = ?',
      [name],
    );
    return row === undefined ? undefined : { owner, epoch: row.owner_epoch, position: row.position };
  }

  async release(hold: CursorHold): Promise<void> {
    await this.#database.write(RELEASE, heldValues(hold));
  }

  async releaseEnded({ first, before }: EndedRuns): Promise<void> {
    await this.#database.write(RELEASE_ENDED, [Buffer.from(first), Buffer.from(before)]);
  }

  async advance(hold: CursorHold, position: Position): Promise<boolean> {
    return (await this.#database.write(ADVANCE, [position, ...heldValues(hold)])).affectedRows === 1;
  }

  async withCawins(eventIds: readonly EventId[]): Promise<ReadonlySet<number>> {
    if (eventIds.length === 0) return new Set();
    const rows = await this.#database.query<{ event_id: EventId }>(
      `SELECT DISTINCT event_id FROM cawin FORCE INDEX (cawin_event) WHERE event_id IN (${placeholders(eventIds.length)})`,
      eventIds,
    );
    return new Set(rows.map((row) => row.event_id));
  }

  /** See FiringStore.fire. */
  async fire(hold: CursorHold, jobs: readonly FiringJob[], limit: number): Promise<readonly FiringJob[] | undefined> {
    return this.#database.transaction(async (queries) => {
      // Another owner may have come: it does this part again, so that nothing is lost by stopping here.
      const { affectedRows } = await queries.write(RENEW, heldValues(hold));
      if (affectedRows === 0) return undefined;
      const candidates = await readCandidates(queries, jobs, limit);
      await settle(queries, jobs, candidates);
      return jobs.flatMap((job, index) => {
        const last = candidates[index]?.length === limit ? candidates[index].at(-1) : undefined;
        return last === undefined ? [] : [{ ...job, afterCawin: last.id }];
      });
    });
  }

  /** See FiringStore.expireDue. */
  async expireDue(limit: number): Promise<{ looked: number; nextMs: Millis | undefined }> {
    const [next] = await this.#database.execute<{ due_in: number }>(SELECT_NEXT_DEADLINE);
    if (next === undefined) return { looked: 0, nextMs: undefined };
    if (next.due_in > 0) return { looked: 0, nextMs: next.due_in / 1000 };
    const looked = await underHead(this.#database, (queries, head) => expire(queries, head, limit));
    return { looked, nextMs: undefined };
  }
}

async function readCandidates(
  queries: Queries,
  jobs: readonly FiringJob[],
  limit: number,
): Promise<readonly Candidate[][]> {
  const rows = await queries.query<Candidate & { job: number }>(
    jobs.map(() => SELECT_CAWINS).join(' UNION ALL '),
    jobs.flatMap(({ eventId, afterCawin }, index) => [index, eventId, eventId, afterCawin, limit]),
  );
  const byJob: Candidate[][] = jobs.map(() => []);
  for (const row of rows) byJob[row.job]?.push(row);
  // A union promises no order.
  for (const candidates of byJob) candidates.sort((a, b) => a.id - b.id);
  return byJob;
}

/** Records the firings of ends, and what these mean for the cawins that do not ask for them. */
async function settle(
  queries: Queries,
  jobs: readonly FiringJob[],
  candidates: readonly (readonly Candidate[])[],
): Promise<void> {
  const counted = jobs.flatMap(({ end }, index) =>
    (candidates[index] ?? [])
      .filter((cawin) => counts(end.kind, end.firstEndAt, cawin.expires_at ?? undefined))
      .map((cawin) => ({ cawin, end })),
  );
  const over = counted.filter(({ cawin, end }) => isOver(kindsOf(cawin.notify_on), [end.kind]));
  await mark(queries, 'closed = 1', cawinsOf(over));
  await mark(queries, 'deadline = NULL', cawinsOf(counted.filter(({ cawin }) => cawin.deadline !== null)));
  const firing = counted.filter(({ cawin, end }) => cawin.active === 1 && asksFor(cawin.notify_on, end.kind));
  await addFirings(
    queries,
    firing.map(({ cawin, end }) => ({ ...end, cawinId: cawin.id, endpointId: cawin.endpoint_id })),
  );
}

/** Looks at cawins whose own deadline has passed; how many. */
async function expire(queries: Queries, { now }: HeadView, limit: number): Promise<number> {
  const overdue = await queries.query<Candidate & { event_id: EventId }>(SELECT_OVERDUE, [now, limit]);
  const outcomes = await readOutcomes(queries, [...new Set(overdue.map(({ event_id: id }) => id))]);
  const expired = overdue.filter((cawin) => hasExpired(cawin, outcomes.get(cawin.event_id), now));
  await mark(queries, 'deadline = NULL', overdue);
  await mark(
    queries,
    'closed = 1',
    expired.filter(({ notify_on: bits }) => !asksFor(bits, EntryKind.EXPIRED)),
  );
  const firing = expired.filter((cawin) => cawin.active === 1 && asksFor(cawin.notify_on, EntryKind.EXPIRED));
  const kind = EntryKind.EXPIRED;
  await addFirings(
    queries,
    firing.map(({ id, endpoint_id: endpointId }) => ({ cawinId: id, endpointId, kind, position: 0 })),
  );
  return overdue.length;
}

function cawinsOf(counted: readonly { readonly cawin: Candidate }[]): Candidate[] {
  return counted.map(({ cawin }) => cawin);
}

async function mark(queries: Queries, change: string, cawins: readonly Candidate[]): Promise<void> {
  if (cawins.length === 0) return;
  await queries.query(
    `UPDATE cawin FORCE INDEX (PRIMARY) SET ${change} WHERE id IN (${placeholders(cawins.length)})`,
    cawins.map(({ id }) => id),
  );
}

/** Whether the deadline passed before the event ended. What ended in time, or ends by the same deadline, is the log's to fire. */
function hasExpired(cawin: Candidate, outcome: StoredOutcome | undefined, now: Micros): boolean {
  if (outcome?.waitUntil !== undefined && outcome.waitUntil <= now) return false;
  const [first] = endsForDeadline(outcome?.ends ?? [], cawin.expires_at ?? undefined, now);
  return first?.position === 0;
}

function asksFor(bits: number, kind: EndKind): boolean {
  return kindsOf(bits).includes(kind);
}

function heldValues({ owner, epoch }: CursorHold): [Buffer, number] {
  return [Buffer.from(owner), epoch];
}
