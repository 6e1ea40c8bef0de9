// The rows of cawins, firings and attempts, and how they become what the domain knows.

import { type Cawin, type EndKind, type Firing, type FiringState, kindsOf } from '../../../domain/cawins/cawin.js';
import type { AttemptRecord } from '../../../domain/cawins/cawin-attempt.js';
import { CircuitState } from '../../../domain/cawins/endpoint-circuit.js';
import type { EventId, Micros, Position } from '../../../units.js';
import type { Queries, SqlValue } from '../sql/database.js';
import { placeholders } from '../sql/placeholders.js';

/** The columns but `sealed`, which only those who call out or update read. */
export const CAWIN_COLUMNS = `c.id, c.event_id, c.active, c.closed, c.notify_on, c.endpoint_id, c.url, c.header_names, c.timeout_ms,
  c.signed, c.former_secret_until, c.expires_at, c.deadline, c.request_id, c.digest, c.created_at, x.name AS context`;
export const CAWIN_TABLES = 'cawin c JOIN context x ON x.id = c.context_id';

export interface CawinRow {
  readonly id: number;
  readonly event_id: EventId;
  readonly active: number;
  readonly closed: number;
  readonly notify_on: number;
  readonly endpoint_id: number;
  readonly url: Buffer;
  readonly header_names: Buffer;
  readonly timeout_ms: number;
  readonly signed: number;
  readonly former_secret_until: number | null;
  readonly sealed?: Buffer | null;
  readonly expires_at: Micros | null;
  readonly deadline: number | null;
  readonly request_id: Buffer | null;
  readonly digest: Buffer | null;
  readonly created_at: Micros;
  readonly context: Buffer;
}

export function cawinOf(row: CawinRow, firings: readonly Firing[]): Cawin {
  return {
    id: row.id,
    eventId: row.event_id,
    context: row.context.toString(),
    active: row.active === 1,
    closed: row.closed === 1,
    notifyOn: kindsOf(row.notify_on),
    url: row.url.toString(),
    headerNames: JSON.parse(row.header_names.toString()) as string[],
    timeoutMs: row.timeout_ms,
    signed: row.signed === 1,
    formerSecretUntil: row.former_secret_until ?? undefined,
    expiresAt: row.expires_at ?? undefined,
    requestId: row.request_id?.toString() ?? '',
    createdAt: row.created_at,
    firings,
  };
}

interface FiringRow {
  readonly cawin_id: number;
  readonly kind: number;
  readonly position: Position | null;
  readonly state: number;
  readonly due_at: number | null;
  readonly attempts: number;
  readonly created_at: Micros;
  readonly circuit: number | null;
  readonly outcome: number | null;
  readonly status: Buffer | null;
  readonly reason: Buffer | null;
  readonly error: Buffer | null;
}

/** The firings of cawins, by cawin. */
export async function readFirings(queries: Queries, ids: readonly number[]): Promise<ReadonlyMap<number, Firing[]>> {
  const firings = new Map<number, Firing[]>();
  if (ids.length === 0) return firings;
  const rows = await queries.query<FiringRow>(
    `SELECT f.cawin_id, f.kind, f.position, f.state, f.due_at, f.attempts, f.created_at, e.state AS circuit,
       a.outcome, a.status, a.reason, a.error
     FROM firing f FORCE INDEX (PRIMARY) STRAIGHT_JOIN endpoint e FORCE INDEX (PRIMARY) ON e.id = f.endpoint_id
     LEFT JOIN attempt a FORCE INDEX (PRIMARY) ON a.cawin_id = f.cawin_id AND a.kind = f.kind
       AND a.number = (SELECT MAX(l.number) FROM attempt l FORCE INDEX (PRIMARY) WHERE l.cawin_id = f.cawin_id AND l.kind = f.kind)
     WHERE f.cawin_id IN (${placeholders(ids.length)}) ORDER BY f.cawin_id, f.kind`,
    ids,
  );
  for (const row of rows) firings.set(row.cawin_id, [...(firings.get(row.cawin_id) ?? []), firingOf(row)]);
  return firings;
}

function firingOf(row: FiringRow): Firing {
  return {
    kind: row.kind as EndKind,
    position: row.position ?? 0,
    state: row.state as FiringState,
    dueAt: row.due_at ?? undefined,
    attempts: row.attempts,
    createdAt: row.created_at,
    held: row.due_at !== null && row.circuit === CircuitState.OPEN,
    lastError: lastErrorOf(row),
  };
}

/** Returns what an attempt that was not taken is told as: its error, or else what the receiver answered. */
function lastErrorOf({ outcome, error, status, reason }: FiringRow): string {
  if (outcome === null || OUTCOMES[outcome - 1] === 'delivered') return '';
  return [error, status, reason].map((text) => text?.toString() ?? '').find((text) => text !== '') ?? '';
}

export const ATTEMPT_COLUMNS =
  'kind, number, started_at, outcome, reason, status, status_code, latency_us, first_bytes, error';

export interface AttemptRow {
  readonly kind: number;
  readonly number: number;
  readonly started_at: number;
  readonly outcome: number;
  readonly reason: Buffer;
  readonly status: Buffer;
  readonly status_code: number;
  readonly latency_us: number;
  readonly first_bytes: Buffer;
  readonly error: Buffer;
}

const OUTCOMES: readonly AttemptRecord['outcome'][] = ['delivered', 'failed', 'rejected'];

export function attemptOf(row: AttemptRow): AttemptRecord {
  return {
    kind: row.kind as EndKind,
    number: row.number,
    startedAt: row.started_at,
    outcome: OUTCOMES[row.outcome - 1] ?? 'failed',
    reason: row.reason.toString(),
    status: row.status.toString(),
    statusCode: row.status_code,
    latencyMicros: row.latency_us,
    firstBytes: row.first_bytes.toString(),
    error: row.error.toString(),
  };
}

/** Values of an attempt in the order of ATTEMPT_COLUMNS. */
export function attemptValues(attempt: AttemptRecord): SqlValue[] {
  return [
    ...[
      attempt.kind,
      attempt.number,
      Math.max(0, Math.round(attempt.startedAt)),
      OUTCOMES.indexOf(attempt.outcome) + 1,
    ],
    ...[Buffer.from(attempt.reason), Buffer.from(attempt.status).subarray(0, 255), attempt.statusCode],
    ...[Math.max(0, Math.round(attempt.latencyMicros)), Buffer.from(attempt.firstBytes), Buffer.from(attempt.error)],
  ];
}
