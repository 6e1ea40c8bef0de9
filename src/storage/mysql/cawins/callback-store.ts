// Due firings in MySQL: claimed per endpoint by a lease with a token, and what became of their attempts. See CallbackStore.
//
// A claim moves `due_at` to the end of its lease. Who holds it proves so by the token; who died leaves a firing that comes due by
// itself.

import { type EndKind, FiringState } from '../../../domain/cawins/cawin.js';
import {
  afterAttempt,
  type Circuit,
  CircuitState,
  CLOSED_CIRCUIT,
  healthOf,
  turnOf,
} from '../../../domain/cawins/endpoint-circuit.js';
import type { Micros } from '../../../units.js';
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
import { type ClaimedEndpoint, type DueRow, onRows, readDue, type TargetRow } from './due-firings.js';
import { withoutErased } from './erased-attempts.js';
import { hostOriginOf, isUrlOpen, openUrl } from './url-endpoints.js';

/** Reads the index endpoint_ready in its order: one statement for what is ready and what is next. */
const READY = `
  SELECT id, state, failures, next_probe_at, CAST(ready_at AS SIGNED) - CAST(${NOW_MICROS} AS SIGNED) AS ready_in
  FROM endpoint FORCE INDEX (endpoint_ready) WHERE ready_at < ${NEVER}`;
const LOCK_ENDPOINT = `
  SELECT id, origin, state, failures, next_probe_at, host_id, probed, ${NOW_MICROS} AS now_micros,
    (SELECT COUNT(*) FROM endpoint u FORCE INDEX (endpoint_host) WHERE u.host_id = endpoint.id AND u.state = ${CircuitState.OPEN}) AS open_urls
  FROM endpoint WHERE id = ? AND ready_at <= ${NOW_MICROS} FOR UPDATE`;
/** Reads one row of the index firing_due, however many are held. */
const SELECT_NEXT =
  'SELECT due_at FROM firing FORCE INDEX (firing_due) WHERE endpoint_id = ? AND due_at > 0 ORDER BY due_at LIMIT 1';
const SET_READY = 'UPDATE endpoint SET next_probe_at = ?, ready_at = ? WHERE id = ?';
const IS_OPEN = `state IN (${FiringState.PENDING}, ${FiringState.HELD})`;
/** Changes those that are still claimed by the same token. */
const END = `UPDATE firing FORCE INDEX (PRIMARY) SET state = ?, due_at = NULL WHERE ${IS_OPEN}`;
const AGAIN = `
  UPDATE firing SET due_at = IF(state = ${FiringState.PENDING}, ${NOW_MICROS} + ?, NULL), round_start = round_start + ?
  WHERE cawin_id = ? AND kind = ? AND token = ? AND ${IS_OPEN}`;

interface EndpointRow {
  readonly id: number;
  readonly state: number;
  readonly failures: number;
  readonly next_probe_at: number;
}

export class MysqlCallbackStore implements CallbackStore {
  readonly #database: Database;
  readonly #random: () => number;

  constructor({ database, random = Math.random }: { readonly database: Database; readonly random?: () => number }) {
    this.#database = database;
    this.#random = random;
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
      const [row] = await queries.execute<EndpointRow & ClaimedEndpoint>(LOCK_ENDPOINT, [endpointId]);
      if (row === undefined) return [];
      const isProbe = row.state === CircuitState.OPEN;
      const { due, targets, nextDueAt } = await readDue(queries, row, isProbe ? 1 : limit, this.#random);
      const hostId = row.host_id ?? undefined;
      const claimed = await this.#take(queries, due, targets, { endpointId, hostId, token, isProbe });
      // A probe that dies with its instance is made again when its lease ends.
      const leaseMs = Math.max(0, ...claimed.map(({ timeoutMs }) => timeoutMs + CLAIM_GRACE_MS));
      const probeAt = isProbe && claimed.length > 0 ? row.now_micros + leaseMs * 1000 : row.next_probe_at;
      await setReady(queries, endpointId, { nextProbeAt: probeAt, isOpen: isProbe, nextDueAt });
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
      for (const endpoint of endpoints) {
        changes.push(...(await changeCircuit(queries, endpoint, reports, random)));
        changes.push(...(await changeUrls(queries, endpoint, reports, random)));
      }
      return changes;
    });
  }

  async #take(
    queries: Queries,
    due: readonly DueRow[],
    targets: ReadonlyMap<number, TargetRow>,
    claim: Claim,
  ): Promise<ClaimedFiring[]> {
    const active = due.filter((row) => targets.get(row.cawin_id)?.active === 1);
    const inactive = due.filter((row) => targets.get(row.cawin_id)?.active === 0);
    const deleted = due.filter((row) => !targets.has(row.cawin_id));
    await onRows(
      queries,
      `UPDATE firing FORCE INDEX (PRIMARY) SET state = ${FiringState.HELD}, due_at = NULL`,
      inactive,
    );
    await onRows(queries, 'DELETE FROM firing', deleted);
    const timeouts = new Set(active.map((row) => targets.get(row.cawin_id)?.timeout_ms ?? 0));
    for (const timeoutMs of timeouts) {
      const rows = active.filter((row) => targets.get(row.cawin_id)?.timeout_ms === timeoutMs);
      const lease = (timeoutMs + CLAIM_GRACE_MS) * 1000;
      const change = `UPDATE firing FORCE INDEX (PRIMARY) SET token = ?, attempts = attempts + 1, due_at = ${NOW_MICROS} + ?`;
      await onRows(queries, change, rows, [claim.token, lease]);
    }
    return active.map((row) => claimedOf(row, targets.get(row.cawin_id) as TargetRow, claim));
  }
}

type Claim = Pick<ClaimedFiring, 'endpointId' | 'hostId' | 'token' | 'isProbe'>;

function claimedOf(row: DueRow, target: TargetRow, claim: Claim): ClaimedFiring {
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
function awaitedOf(row: DueRow, target: TargetRow): ClaimedFiring['awaited'] {
  const { description, awaited_until, awaited_by, awaited_at } = target;
  const expiresAt = row.position === null ? (target.expires_at ?? awaited_until) : awaited_until;
  if (description === null || expiresAt === null || awaited_by === null || awaited_at === null) return undefined;
  return { description, expiresAt, awaitedBy: awaited_by.toString(), awaitedAt: awaited_at };
}

function circuitOf(row: EndpointRow): Circuit {
  const state = row.state === CircuitState.OPEN ? CircuitState.OPEN : CircuitState.CLOSED;
  return { state, failures: row.failures, nextProbeAt: row.next_probe_at };
}

/**
 * The endpoints that the reports change. Answered calls of one that has not failed lately change nothing: its row, which claims and
 * the making of firings wait for, is left alone, and comes up for a look too early rather than too late.
 */
async function changedEndpoints(queries: Queries, reports: readonly AttemptReport[]): Promise<number[]> {
  const isChange = ({ health, verdict, firing, urlFailures }: AttemptReport) =>
    health === 'fails' || health === 'refuses' || verdict.kind === 'retry' || firing.isProbe || urlFailures > 0;
  const idsOf = ({ firing: { endpointId, hostId } }: AttemptReport) =>
    hostId === undefined ? [endpointId] : [endpointId, hostId];
  const changed = new Set(reports.filter(isChange).flatMap(idsOf));
  const others = [...new Set(reports.flatMap(idsOf))].filter((id) => !changed.has(id));
  if (others.length > 0) {
    const rows = await queries.query<{ id: number }>(
      `SELECT id FROM endpoint WHERE id IN (${placeholders(others.length)}) AND (state <> ${CircuitState.CLOSED} OR failures > 0)`,
      others,
    );
    for (const { id } of rows) changed.add(id);
  }
  return [...changed].sort((a, b) => a - b);
}

interface LockedEndpoint {
  readonly id: number;
  readonly origin: string;
  readonly before: Circuit;
  readonly now: Micros;
}

async function lockEndpoints(queries: Queries, reports: readonly AttemptReport[]): Promise<LockedEndpoint[]> {
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

/** The circuit of an endpoint after its attempts; of a host also after those of its URLs that have endpoints of their own. */
async function changeCircuit(
  queries: Queries,
  { id, origin, before, now }: LockedEndpoint,
  reports: readonly AttemptReport[],
  random: () => number,
): Promise<readonly CircuitChange[]> {
  const own = reports.filter(({ firing }) => firing.endpointId === id || firing.hostId === id);
  const newsOf = ({ health, firing }: AttemptReport) => {
    const isOfUrl = firing.hostId !== undefined && firing.hostId !== id;
    return { health: healthOf(isOfUrl ? 'url' : 'host', health), isProbe: firing.isProbe && firing.endpointId === id };
  };
  const after = own.reduce<Circuit>((circuit, report) => afterAttempt(circuit, newsOf(report), now, random), before);
  await storeCircuit(queries, id, before, after);
  const ofUrl = own.find(({ firing }) => firing.endpointId === id && firing.hostId !== undefined);
  return changeOf({ origin, cawinId: ofUrl?.firing.cawinId }, before, after);
}

/** The circuits of URLs of a host that have no endpoints of their own, up to where they need one. */
async function changeUrls(
  queries: Queries,
  { id, origin, now }: LockedEndpoint,
  reports: readonly AttemptReport[],
  random: () => number,
): Promise<readonly CircuitChange[]> {
  const changes: CircuitChange[] = [];
  for (const { firing, health, urlFailures } of reports) {
    if (firing.endpointId !== id || firing.hostId !== undefined) continue;
    if (health !== 'refuses' && health !== 'answers') continue;
    const before = { ...CLOSED_CIRCUIT, failures: urlFailures };
    const after = afterAttempt(before, { health: healthOf('url', health), isProbe: false }, now, random);
    // What was under way when it opened says nothing new.
    if (turnOf(before, after) === undefined || (await isUrlOpen(queries, origin, firing.url))) continue;
    if (after.state === CircuitState.OPEN && !(await openUrl(queries, { id, origin }, firing.url, after))) continue;
    changes.push(...changeOf({ origin, cawinId: firing.cawinId }, before, after));
  }
  return changes;
}

function changeOf(
  { origin, cawinId }: Pick<CircuitChange, 'origin' | 'cawinId'>,
  before: Circuit,
  after: Circuit,
): readonly CircuitChange[] {
  const turn = turnOf(before, after);
  if (turn === undefined) return [];
  const nextProbeAt = after.state === CircuitState.OPEN ? after.nextProbeAt : undefined;
  return [{ origin: hostOriginOf(origin), cawinId, turn, failures: after.failures, nextProbeAt }];
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
    `SELECT cawin_id, kind FROM firing FORCE INDEX (PRIMARY) WHERE ${keys} FOR UPDATE`,
    reports.flatMap(({ firing }) => [firing.cawinId, firing.kind]),
  );
  const known = new Set(present.map((row) => `${row.cawin_id}:${row.kind}`));
  const kept = reports.filter(({ firing }) => known.has(`${firing.cawinId}:${firing.kind}`));
  if (kept.length === 0) return;
  await queries.query(
    `INSERT INTO attempt (cawin_id, ${ATTEMPT_COLUMNS}) VALUES ${kept.map(() => `(${placeholders(11)})`).join()}
     ON DUPLICATE KEY UPDATE cawin_id = attempt.cawin_id`,
    (await withoutErased(queries, kept)).flatMap(({ firing, attempt }): SqlValue[] => [
      ...[firing.cawinId, ...attemptValues(attempt)],
    ]),
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
