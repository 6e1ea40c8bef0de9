// The rows of a cawin and of its firings, written under the head row: by the commands of cawins, by groups, and by the making of
// firings.

import { type EndKind, FiringState, isOver, kindBits, type WaitEnd } from '../../../domain/cawins/cawin.js';
import type { CallbackRecord, PreparedCawin } from '../../../domain/cawins/prepared-cawin.js';
import { bug } from '../../../domain/errors.js';
import type { EventId, Micros, Position } from '../../../units.js';
import type { Queries, SqlValue } from '../sql/database.js';
import { NOW_MICROS } from '../sql/database-time.js';
import { placeholders } from '../sql/placeholders.js';
import { expectWork } from './cawin-endpoints.js';
import type { StoredOutcome } from './cawin-outcome.js';

/** `sealed` comes when the ids are known. */
const INSERT = `
  INSERT INTO cawin (event_id, context_id, active, closed, notify_on, endpoint_id, url, header_names, timeout_ms, signed,
    expires_at, deadline, request_id, digest, created_at)`;

/** One text for a request id in a context. */
export function requestKey(contextId: number, requestId: string): string {
  return `${contextId}:${requestId}`;
}

/** The ids of cawins that were made with these request ids, by requestKey; empty ones are of nobody. */
export async function formerIds(
  queries: Queries,
  requests: readonly { readonly contextId: number; readonly requestId: string }[],
): Promise<ReadonlyMap<string, number>> {
  const given = requests.filter(({ requestId }) => requestId !== '');
  if (given.length === 0) return new Map();
  const rows = await queries.query<{ id: number; context_id: number; request_id: Buffer }>(
    `SELECT id, context_id, request_id FROM cawin FORCE INDEX (cawin_request)
     WHERE (context_id, request_id) IN (${placeholders(given.length, '(?, ?)')})`,
    given.flatMap(({ contextId, requestId }) => [contextId, Buffer.from(requestId)]),
  );
  return new Map(rows.map((row) => [requestKey(row.context_id, row.request_id.toString()), row.id]));
}

export interface NewCawin extends Pick<PreparedCawin, 'draft' | 'seal' | 'endpointId'> {
  readonly eventId: EventId;
  /** Its own deadline. */
  readonly expiresAt: Micros | undefined;
  readonly outcome: StoredOutcome;
}

/** Inserts cawins, with their firings where the events have ended; their ids, in this order. Needs the head row. */
export async function insertCawins(queries: Queries, cawins: readonly NewCawin[], now: Micros): Promise<number[]> {
  if (cawins.length === 0) return [];
  const rows = cawins.map((cawin) => valuesOf(cawin, now));
  await queries.query(`${INSERT} VALUES ${placeholders(rows.length, `(${placeholders(15)})`)}`, rows.flat());
  // Whoever inserts cawins holds the head row: these are ours, in the order of the rows.
  const made = await queries.query<{ id: number }>(
    'SELECT id FROM cawin FORCE INDEX (PRIMARY) WHERE id >= LAST_INSERT_ID() ORDER BY id',
  );
  if (made.length !== cawins.length) throw bug(`${made.length} cawins where ${cawins.length} were inserted`);
  const ids = made.map(({ id }) => id);
  await sealAll(
    queries,
    ids.map((id, index) => ({ id, sealed: cawins[index]?.seal(id) })),
  );
  const firings = cawins.flatMap(({ draft, endpointId, outcome }, index) =>
    draft.active ? asked(outcome.ends, draft.notifyOn, { cawinId: ids[index] ?? 0, endpointId }) : [],
  );
  await addFirings(queries, firings);
  return ids;
}

function valuesOf({ draft, eventId, endpointId, expiresAt, outcome }: NewCawin, now: Micros): SqlValue[] {
  const { active, notifyOn, callback, requestId, digest } = draft;
  const closed = isOver(notifyOn, kinds(outcome.ends));
  return [
    ...[eventId, outcome.contextId, active ? 1 : 0, closed ? 1 : 0, kindBits(notifyOn), endpointId],
    ...[Buffer.from(callback.url), namesColumn(callback), callback.timeoutMs, callback.signed ? 1 : 0],
    ...[expiresAt ?? null, outcome.ends.length === 0 ? (expiresAt ?? null) : null],
    ...[requestId === '' ? null : Buffer.from(requestId), digest, now],
  ];
}

async function sealAll(
  queries: Queries,
  all: readonly { readonly id: number; readonly sealed: Buffer | undefined }[],
): Promise<void> {
  const sealed = all.flatMap((one) => (one.sealed === undefined ? [] : [{ id: one.id, sealed: one.sealed }]));
  if (sealed.length === 0) return;
  const ids = sealed.map(({ id }) => id);
  await queries.query(
    `UPDATE cawin SET sealed = CASE id ${sealed.map(() => 'WHEN ? THEN ?').join(' ')} END WHERE id IN (${placeholders(ids.length)})`,
    [...sealed.flatMap((one) => [one.id, one.sealed]), ...ids],
  );
}

/** A firing that is to be recorded. */
export interface NewFiring {
  readonly cawinId: number;
  readonly endpointId: number;
  readonly kind: EndKind;
  readonly position: Position;
}

/** The firings of a cawin for those ends that it asks for. */
export function asked(
  ends: readonly WaitEnd[],
  notifyOn: readonly EndKind[],
  cawin: Pick<NewFiring, 'cawinId' | 'endpointId'>,
): NewFiring[] {
  return ends.filter(({ kind }) => notifyOn.includes(kind)).map((end) => ({ ...end, ...cawin }));
}

/** Records firings, due at once; what has fired already is left as it is. */
export async function addFirings(queries: Queries, firings: readonly NewFiring[]): Promise<void> {
  if (firings.length === 0) return;
  await expectWork(
    queries,
    firings.map(({ endpointId }) => endpointId),
  );
  const time = firings.length > FEW ? await nowOf(queries) : NOW_MICROS;
  const row = `(?, ?, ?, ?, ${time}, ${time}, ${FiringState.PENDING}, 0, 0, 0)`;
  await queries.query(
    `INSERT INTO firing (cawin_id, kind, position, endpoint_id, due_at, created_at, state, token, attempts, round_start)
     VALUES ${firings.map(() => row).join()} ON DUPLICATE KEY UPDATE cawin_id = firing.cawin_id`,
    firings.flatMap(({ cawinId, kind, position, endpointId }) => [
      ...[cawinId, kind, position === 0 ? null : position, endpointId],
    ]),
  );
}

/** Rows in which the time stands as an expression: with more, asking for it takes less than parsing it over and over. */
const FEW = 16;

/** The database's time, as a number for a statement's text. */
async function nowOf(queries: Queries): Promise<number> {
  const [row] = await queries.query<{ now: number }>(`SELECT ${NOW_MICROS} AS now`);
  return Number(row?.now);
}

export function kinds(ends: readonly WaitEnd[]): EndKind[] {
  return ends.map(({ kind }) => kind);
}

export function namesColumn({ headerNames }: CallbackRecord): Buffer {
  return Buffer.from(JSON.stringify(headerNames));
}
