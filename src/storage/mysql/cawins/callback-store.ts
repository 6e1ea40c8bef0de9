// Due firings in MySQL: claimed per endpoint by a lease with a token, and what became of their attempts. See CallbackStore.
//
// A claim moves `due_at` to the end of its lease. Who holds it proves so by the token; who died leaves a firing that comes due by
// itself.

import { type EndKind, FiringState } from '../../../domain/cawins/cawin.js';
import { afterAttempt, type Circuit, CircuitState, turnOf } from '../../../domain/cawins/endpoint-circuit.js';
import type { EventId, Micros, Position } from '../../../units.js';
import {
  type AttemptReport,
  type CallbackStore,
  type CircuitChange,
  CLAIM_GRACE_MS,
  type ClaimedFiring,
} from '../../ports/cawin-storage.js';
import type { Database, Queries, SqlValue } from '../sql/database.js';
import { NEVER, NOW_MICROS } from '../sql/database-time.js';
import { placeholders } from '../sql/placeholders.js';
import { ATTEMPT_COLUMNS, attemptValues } from './cawin-rows.js';

/** Reads the index endpoint_ready in its order: one statement for what is ready and what is next. */
const READY = `
  SELECT id, state, failures, next_probe_at, CAST(ready_at AS SIGNED) - CAST(${NOW_MICROS} AS SIGNED) AS ready_in
  FROM endpoint WHERE ready_at < ${NEVER}`;
const LOCK_ENDPOINT = `
  SELECT id, state, failures, next_probe_at, ${NOW_MICROS} AS now_micros FROM endpoint
  WHERE id = ? AND ready_at <= ${NOW_MICROS} FOR UPDATE`;
/** Reads the index firing_due in its order. */
const SELECT_DUE = `
  SELECT cawin_id, kind, position, attempts, round_start, created_at, due_at FROM firing
  WHERE endpoint_id = ? AND due_at <= ${NOW_MICROS} ORDER BY due_at LIMIT ? FOR UPDATE`;
/** Reads one row of the index firing_due, however many are held. */
const SELECT_NEXT = 'SELECT due_at FROM firing WHERE endpoint_id = ? AND due_at > 0 ORDER BY due_at LIMIT 1';
const SET_READY = 'UPDATE endpoint SET next_probe_at = ?, ready_at = ? WHERE id = ?';
const IS_OPEN = `state IN (${FiringState.PENDING}, ${FiringState.HELD})`;
/** Changes those that are still claimed by the same token. */
const END = `UPDATE firing SET state = ?, due_at = NULL WHERE ${IS_OPEN}`;
const AGAIN = `
  UPDATE firing SET due_at = IF(state = ${FiringState.PENDING}, ${NOW_MICROS} + ?, NULL), round_start = round_start + ?
  WHERE cawin_id = ? AND kind = ? AND token = ? AND ${IS_OPEN}`;

interface EndpointRow {
  readonly id: number;
  readonly state: number;
  readonly failures: number;
  readonly next_probe_at: number;
}

interface DueRow {
  readonly cawin_id: number;
  readonly kind: number;
  readonly position: Position | null;
  readonly attempts: number;
  readonly round_start: number;
  readonly created_at: Micros;
  readonly due_at: number;
}

interface TargetRow {
  readonly id: number;
  readonly event_id: EventId;
  readonly active: number;
  readonly url: Buffer;
  readonly timeout_ms: number;
  readonly sealed: Buffer | null;
  readonly expires_at: Micros | null;
  readonly description: string | null;
  readonly awaited_until: Micros | null;
}

export class MysqlCallbackStore implements CallbackStore {
  readonly #database: Database;

  constructor({ database }: { readonly database: Database }) {
    this.#database = database;
  }

  /** See CallbackStore.readyEndpoints. */
  async readyEndpoints(except: readonly number[], limit: number) {
    const others = except.length === 0 ? '' : ` AND id NOT IN (${placeholders(except.length)})`;
    const rows = await this.#database.query<EndpointRow & { ready_in: number }>(
      `${READY}${others} ORDER BY ready_at LIMIT ?`,
      [...except, limit],
    );
    const next = rows.find((row) => row.ready_in > 0);
    return {
      ready: rows.filter((row) => row.ready_in <= 0).map((row) => ({ id: row.id, ...circuitOf(row) })),
      nextMs: next && next.ready_in / 1000,
    };
  }

  /** See CallbackStore.claim. */
  async claim(endpointId: number, { limit, token }: { readonly limit: number; readonly token: number }) {
    return this.#database.transaction(async (queries): Promise<readonly ClaimedFiring[]> => {
      const [row] = await queries.execute<EndpointRow & { now_micros: Micros }>(LOCK_ENDPOINT, [endpointId]);
      if (row === undefined) return [];
      const isProbe = row.state === CircuitState.OPEN;
      const most = isProbe ? 1 : limit;
      const found = await queries.query<DueRow>(SELECT_DUE, [endpointId, most + 1]);
      const due = found.slice(0, most);
      const targets = await readTargets(queries, due);
      const claimed = await this.#take(queries, due, targets, { endpointId, token, isProbe });
      // A probe that dies with its instance is made again when its lease ends.
      const leaseMs = Math.max(0, ...claimed.map(({ timeoutMs }) => timeoutMs + CLAIM_GRACE_MS));
      const probeAt = isProbe && claimed.length > 0 ? row.now_micros + leaseMs * 1000 : row.next_probe_at;
      await setReady(queries, endpointId, { nextProbeAt: probeAt, isOpen: isProbe, nextDueAt: found[most]?.due_at });
      return claimed;
    });
  }

  /** See CallbackStore.finish. */
  async finish(reports: readonly AttemptReport[], random: () => number): Promise<readonly CircuitChange[]> {
    return this.#database.transaction(async (queries) => {
      const endpoints = await lockEndpoints(queries, reports);
      await settle(queries, reports);
      await storeAttempts(queries, reports);
      const changes: CircuitChange[] = [];
      for (const { id, origin, before, now } of endpoints) {
        const own = reports.filter(({ firing }) => firing.endpointId === id);
        const after = own.reduce<Circuit>(
          (circuit, { health, firing }) => afterAttempt(circuit, { health, isProbe: firing.isProbe }, now, random),
          before,
        );
        await storeCircuit(queries, id, before, after);
        const turn = turnOf(before, after);
        const nextProbeAt = after.state === CircuitState.OPEN ? after.nextProbeAt : undefined;
        if (turn !== undefined) changes.push({ origin, turn, failures: after.failures, nextProbeAt });
      }
      return changes;
    });
  }

  async #take(
    queries: Queries,
    due: readonly DueRow[],
    targets: ReadonlyMap<number, TargetRow>,
    claim: { readonly endpointId: number; readonly token: number; readonly isProbe: boolean },
  ): Promise<ClaimedFiring[]> {
    const active = due.filter((row) => targets.get(row.cawin_id)?.active === 1);
    const inactive = due.filter((row) => targets.get(row.cawin_id)?.active === 0);
    const deleted = due.filter((row) => !targets.has(row.cawin_id));
    await onRows(queries, `UPDATE firing SET state = ${FiringState.HELD}, due_at = NULL`, inactive);
    await onRows(queries, 'DELETE FROM firing', deleted);
    const timeouts = new Set(active.map((row) => targets.get(row.cawin_id)?.timeout_ms ?? 0));
    for (const timeoutMs of timeouts) {
      const rows = active.filter((row) => targets.get(row.cawin_id)?.timeout_ms === timeoutMs);
      const lease = (timeoutMs + CLAIM_GRACE_MS) * 1000;
      const change = `UPDATE firing SET token = ?, attempts = attempts + 1, due_at = ${NOW_MICROS} + ?`;
      await onRows(queries, change, rows, [claim.token, lease]);
    }
    return active.map((row) => claimedOf(row, targets.get(row.cawin_id) as TargetRow, claim));
  }
}

function claimedOf(
  row: DueRow,
  target: TargetRow,
  claim: { readonly endpointId: number; readonly token: number; readonly isProbe: boolean },
): ClaimedFiring {
  return {
    ...claim,
    cawinId: row.cawin_id,
    kind: row.kind as EndKind,
    position: row.position ?? 0,
    eventId: target.event_id,
    attemptNumber: row.attempts + 1,
    roundAttempt: row.attempts + 1 - row.round_start,
    createdAt: row.created_at,
    url: target.url.toString(),
    timeoutMs: target.timeout_ms,
    sealed: target.sealed ?? undefined,
    awaited: awaitedOf(row, target),
  };
}

/** The deadline is the cawin's own where that one passed. */
function awaitedOf(row: DueRow, { description, awaited_until, expires_at }: TargetRow): ClaimedFiring['awaited'] {
  const expiresAt = row.position === null ? (expires_at ?? awaited_until) : awaited_until;
  return description === null || expiresAt === null ? undefined : { description, expiresAt };
}

function circuitOf(row: EndpointRow): Circuit {
  const state = row.state === CircuitState.OPEN ? CircuitState.OPEN : CircuitState.CLOSED;
  return { state, failures: row.failures, nextProbeAt: row.next_probe_at };
}

async function readTargets(queries: Queries, due: readonly DueRow[]): Promise<ReadonlyMap<number, TargetRow>> {
  if (due.length === 0) return new Map();
  const ids = due.map((row) => row.cawin_id);
  const rows = await queries.query<TargetRow>(
    `SELECT c.id, c.event_id, c.active, c.url, c.timeout_ms, c.sealed, c.expires_at, w.description, w.expires_at AS awaited_until
     FROM cawin c LEFT JOIN wait w ON w.event_id = c.event_id WHERE c.id IN (${placeholders(ids.length)})`,
    ids,
  );
  return new Map(rows.map((row) => [row.id, row]));
}

async function onRows(
  queries: Queries,
  change: string,
  rows: readonly { readonly cawin_id: number; readonly kind: number }[],
  values: readonly SqlValue[] = [],
): Promise<void> {
  if (rows.length === 0) return;
  const keys = rows.map(() => '(cawin_id = ? AND kind = ?)').join(' OR ');
  await queries.query(`${change} WHERE ${keys}`, [...values, ...rows.flatMap((row) => [row.cawin_id, row.kind])]);
}

/**
 * The endpoints that the reports change. Answered calls of one that has not failed lately change nothing: its row, which claims and
 * the making of firings wait for, is left alone, and comes up for a look too early rather than too late.
 */
async function changedEndpoints(queries: Queries, reports: readonly AttemptReport[]): Promise<number[]> {
  const isChange = ({ health, verdict, firing }: AttemptReport) =>
    health === 'fails' || verdict.kind === 'retry' || firing.isProbe;
  const changed = new Set(reports.filter(isChange).map(({ firing }) => firing.endpointId));
  const others = [...new Set(reports.map(({ firing }) => firing.endpointId))].filter((id) => !changed.has(id));
  if (others.length > 0) {
    const rows = await queries.query<{ id: number }>(
      `SELECT id FROM endpoint WHERE id IN (${placeholders(others.length)}) AND (state <> ${CircuitState.CLOSED} OR failures > 0)`,
      others,
    );
    for (const { id } of rows) changed.add(id);
  }
  return [...changed].sort((a, b) => a - b);
}

async function lockEndpoints(queries: Queries, reports: readonly AttemptReport[]) {
  const ids = await changedEndpoints(queries, reports);
  if (ids.length === 0) return [];
  const rows = await queries.query<EndpointRow & { origin: Buffer; now_micros: Micros }>(
    `SELECT id, origin, state, failures, next_probe_at, ${NOW_MICROS} AS now_micros FROM endpoint WHERE id IN (${placeholders(ids.length)})
     ORDER BY id FOR UPDATE`,
    ids,
  );
  return rows.map((row) => ({
    id: row.id,
    origin: row.origin.toString(),
    before: circuitOf(row),
    now: row.now_micros,
  }));
}

/** Writes those that end the same way in one statement: most are delivered. */
async function settle(queries: Queries, reports: readonly AttemptReport[]): Promise<void> {
  for (const [kind, state] of ENDS) {
    const ended = reports.filter(({ verdict }) => verdict.kind === kind);
    if (ended.length === 0) continue;
    await queries.query(`${END} AND (${ended.map(() => '(cawin_id = ? AND kind = ? AND token = ?)').join(' OR ')})`, [
      state,
      ...ended.flatMap(({ firing }) => [firing.cawinId, firing.kind, firing.token]),
    ]);
  }
  for (const { firing, verdict } of reports) {
    if (verdict.kind !== 'retry') continue;
    const { cawinId, kind, token } = firing;
    await queries.write(AGAIN, [Math.round(verdict.delayMs * 1000), verdict.counted ? 0 : 1, cawinId, kind, token]);
  }
}

const ENDS = [
  ['delivered', FiringState.DELIVERED],
  ['failed', FiringState.FAILED],
] as const;

/** Writes attempts of firings that still exist only: their rows are locked by now, so that a deletion comes after. */
async function storeAttempts(queries: Queries, reports: readonly AttemptReport[]): Promise<void> {
  const keys = reports.map(() => '(cawin_id = ? AND kind = ?)').join(' OR ');
  const present = await queries.query<{ cawin_id: number; kind: number }>(
    `SELECT cawin_id, kind FROM firing WHERE ${keys} FOR UPDATE`,
    reports.flatMap(({ firing }) => [firing.cawinId, firing.kind]),
  );
  const known = new Set(present.map((row) => `${row.cawin_id}:${row.kind}`));
  const kept = reports.filter(({ firing }) => known.has(`${firing.cawinId}:${firing.kind}`));
  if (kept.length === 0) return;
  await queries.query(
    `INSERT INTO attempt (cawin_id, ${ATTEMPT_COLUMNS}) VALUES ${kept.map(() => `(${placeholders(11)})`).join()}
     ON DUPLICATE KEY UPDATE cawin_id = attempt.cawin_id`,
    kept.flatMap(({ firing, attempt }): SqlValue[] => [firing.cawinId, ...attemptValues(attempt)]),
  );
}

async function storeCircuit(queries: Queries, id: number, before: Circuit, after: Circuit): Promise<void> {
  const isOpen = after.state === CircuitState.OPEN;
  if (after.failures !== before.failures || after.state !== before.state) {
    const changed = after.state === before.state ? 'changed_at' : NOW_MICROS;
    await queries.write(`UPDATE endpoint SET state = ?, failures = ?, changed_at = ${changed} WHERE id = ?`, [
      ...[after.state, after.failures, id],
    ]);
  }
  await setReady(queries, id, { nextProbeAt: after.nextProbeAt, isOpen });
}

/**
 * What is due next decides when the endpoint is looked at again; its row has to be locked. It is looked for unless it is known: what
 * was claimed a moment ago leaves marks at the beginning of the index, and reading over them is most of what a claim costs.
 */
async function setReady(
  queries: Queries,
  id: number,
  { nextProbeAt, isOpen, nextDueAt }: { nextProbeAt: number; isOpen: boolean; nextDueAt?: number | undefined },
): Promise<void> {
  const dueAt = nextDueAt ?? (await queries.execute<{ due_at: number }>(SELECT_NEXT, [id]))[0]?.due_at ?? NEVER;
  await queries.write(SET_READY, [nextProbeAt, Math.max(dueAt, isOpen ? nextProbeAt : 0), id]);
}
