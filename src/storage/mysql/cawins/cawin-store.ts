// Cawins in MySQL; see CawinStore for what each method promises.

import {
  type Cawin,
  endsForDeadline,
  type Firing,
  FiringState,
  isOver,
  kindBits,
  kindsOf,
} from '../../../domain/cawins/cawin.js';
import type { AttemptRecord } from '../../../domain/cawins/cawin-attempt.js';
import type { CallbackRecord } from '../../../domain/cawins/prepared-cawin.js';
import { pastDeadline } from '../../../domain/group/group-plan-refusals.js';
import { ALL_CONTEXTS } from '../../../domain/names.js';
import { Gate } from '../../../lib/gate.js';
import type { AttemptKey, CawinPatch, CawinStore, ListCawinsOptions, StoredCawin } from '../../ports/cawin-storage.js';
import type { Database, Queries, SqlValue } from '../sql/database.js';
import { NOW_MICROS } from '../sql/database-time.js';
import { placeholders } from '../sql/placeholders.js';
import { raiseWait } from '../waits/raise-wait.js';
import { endpointId, expectWork } from './cawin-endpoints.js';
import { readOutcome } from './cawin-outcome.js';
import {
  ATTEMPT_COLUMNS,
  type AttemptRow,
  attemptOf,
  CAWIN_COLUMNS,
  CAWIN_TABLES,
  type CawinRow,
  cawinOf,
  readFirings,
} from './cawin-rows.js';
import { addFirings, asked, kinds, type NewFiring, namesColumn } from './cawin-writes.js';
import { type HeadView, underHead } from './under-head.js';
import { urlOrigin } from './url-endpoints.js';

const SELECT = `SELECT ${CAWIN_COLUMNS}, c.sealed FROM ${CAWIN_TABLES} WHERE c.id = ?`;
/** What is not pending stays: only its row's lock is taken, so that a claim cannot slip in between. */
const HOLD = `
  UPDATE firing SET due_at = IF(state = ${FiringState.PENDING}, NULL, due_at),
    state = IF(state = ${FiringState.PENDING}, ${FiringState.HELD}, state) WHERE cawin_id = ?`;
const UNHOLD = `
  UPDATE firing SET due_at = IF(state = ${FiringState.HELD}, ${NOW_MICROS}, due_at),
    state = IF(state = ${FiringState.HELD}, ${FiringState.PENDING}, state) WHERE cawin_id = ?`;
const RETRY = `
  UPDATE firing SET state = ${FiringState.PENDING}, due_at = ${NOW_MICROS}, round_start = attempts, token = 0, endpoint_id = ?
  WHERE cawin_id = ? AND state IN (${FiringState.PENDING}, ${FiringState.FAILED})`;
/** A person who asks for a retry is not told to wait for the probe. */
const PROBE_NOW = `UPDATE endpoint SET ready_at = ${NOW_MICROS}, next_probe_at = LEAST(next_probe_at, ${NOW_MICROS}) WHERE id IN`;

/** They wait for the head row, each on a connection of the pool that others need too. */
const UPDATES_AT_ONCE = 2;

export class MysqlCawinStore implements CawinStore {
  readonly #database: Database;
  readonly #updates = new Gate(UPDATES_AT_ONCE);

  constructor({ database }: { readonly database: Database }) {
    this.#database = database;
  }

  endpointId(origin: string): Promise<number> {
    return endpointId(this.#database, origin);
  }

  async findByRequest(context: string, requestId: string): Promise<StoredCawin | undefined> {
    const [row] = await this.#database.execute<{ id: number }>(
      'SELECT c.id FROM cawin c JOIN context x ON x.id = c.context_id WHERE x.name = ? AND c.request_id = ?',
      [Buffer.from(context), Buffer.from(requestId)],
    );
    return row === undefined ? undefined : this.find(row.id);
  }

  async find(id: number): Promise<StoredCawin | undefined> {
    const [row] = await this.#database.execute<CawinRow>(SELECT, [id]);
    if (row === undefined) return undefined;
    const firings = (await readFirings(this.#database, [id])).get(id) ?? [];
    return storedOf(row, firings);
  }

  async list({ context, eventId, after, limit }: ListCawinsOptions): Promise<readonly Cawin[]> {
    const conditions = ['c.id > ?'];
    const values: SqlValue[] = [after];
    const add = (condition: string, value: SqlValue) => {
      conditions.push(condition);
      values.push(value);
    };
    if (context !== ALL_CONTEXTS) add('x.name = ?', Buffer.from(context));
    if (eventId !== undefined) add('c.event_id = ?', eventId);
    // Each has the id as its last part, and gives the order too.
    const every = context === ALL_CONTEXTS ? 'PRIMARY' : 'cawin_context';
    const index = eventId === undefined ? every : 'cawin_event';
    const rows = await this.#database.query<CawinRow>(
      `SELECT ${CAWIN_COLUMNS} FROM cawin c FORCE INDEX (${index}) JOIN context x ON x.id = c.context_id
       WHERE ${conditions.join(' AND ')} ORDER BY c.id LIMIT ?`,
      [...values, limit],
    );
    const firings = await readFirings(
      this.#database,
      rows.map(({ id }) => id),
    );
    return rows.map((row) => cawinOf(row, firings.get(row.id) ?? []));
  }

  async update(id: number, patchOf: (stored: StoredCawin) => CawinPatch, origin: string | undefined): Promise<boolean> {
    const endpoint = origin === undefined ? undefined : await endpointId(this.#database, origin);
    const work = async (queries: Queries, head: HeadView) => {
      const [row] = await queries.execute<CawinRow>(`${SELECT} FOR UPDATE`, [id]);
      if (row === undefined) return false;
      const patch = patchOf(storedOf(row, []));
      await updateCawin(queries, row, patch, { endpoint: endpoint ?? row.endpoint_id, head });
      return true;
    };
    return this.#updates.run(() => underHead(this.#database, work));
  }

  async delete(id: number): Promise<boolean> {
    return this.#database.transaction(async (queries) => {
      const { affectedRows } = await queries.write('DELETE FROM cawin WHERE id = ?', [id]);
      if (affectedRows === 0) return false;
      await queries.write('DELETE FROM firing WHERE cawin_id = ?', [id]);
      await queries.write('DELETE FROM attempt WHERE cawin_id = ?', [id]);
      return true;
    });
  }

  async retry(id: number): Promise<number | undefined> {
    return this.#database.transaction(async (queries) => {
      const [row] = await queries.execute<Pick<CawinRow, 'active' | 'endpoint_id' | 'url'> & { origin: Buffer }>(
        'SELECT active, endpoint_id, url, origin FROM cawin c JOIN endpoint e ON e.id = c.endpoint_id WHERE c.id = ? FOR UPDATE',
        [id],
      );
      if (row === undefined) return undefined;
      if (row.active === 0) return 0;
      const { endpoint_id: endpoint } = row;
      const ofUrl = await queries.execute<{ id: number }>('SELECT id FROM endpoint WHERE origin = ?', [
        Buffer.from(urlOrigin(row.origin.toString(), row.url.toString())),
      ]);
      const ids = [endpoint, ...ofUrl.map((one) => one.id)];
      await queries.write(`${PROBE_NOW} (${placeholders(ids.length)})`, ids);
      // From the host's endpoint: that of its URL may be another one's by now.
      return (await queries.write(RETRY, [endpoint, id])).affectedRows;
    });
  }

  async attempts(id: number, after: AttemptKey | undefined, limit: number): Promise<readonly AttemptRecord[]> {
    const { kind, number } = after ?? { kind: 0, number: 0 };
    const rows = await this.#database.query<AttemptRow>(
      `SELECT ${ATTEMPT_COLUMNS} FROM attempt WHERE cawin_id = ? AND (kind > ? OR (kind = ? AND number > ?))
       ORDER BY kind, number LIMIT ?`,
      [id, kind, kind, number, limit],
    );
    return rows.map(attemptOf);
  }
}

function storedOf(row: CawinRow, firings: readonly Firing[]): StoredCawin {
  return { cawin: cawinOf(row, firings), sealed: row.sealed ?? undefined, digest: row.digest ?? undefined };
}

async function updateCawin(
  queries: Queries,
  row: CawinRow & { readonly sealed?: Buffer | null },
  patch: CawinPatch,
  { endpoint, head }: { readonly endpoint: number; readonly head: HeadView },
): Promise<void> {
  const { id } = row;
  const { active, notifyOn, expiresAt } = patched(row, patch);
  const outcome = (await readOutcome(queries, row.event_id)) ?? { ends: [], waitUntil: undefined };
  if (patch.expiresAt && patch.expiresAt <= head.now) throw pastDeadline();
  const ends = endsForDeadline(outcome.ends, expiresAt ?? undefined, head.now);
  await queries.write(
    'UPDATE cawin SET active = ?, closed = ?, notify_on = ?, expires_at = ?, deadline = ? WHERE id = ?',
    [
      ...[active ? 1 : 0, isOver(notifyOn, kinds(ends)) ? 1 : 0, kindBits(notifyOn)],
      ...[expiresAt, ends.length === 0 ? expiresAt : null, id],
    ],
  );
  if (patch.callback !== undefined) await updateCallback(queries, id, patch.callback, endpoint);
  if (patch.seal !== undefined)
    await queries.write('UPDATE cawin SET sealed = ? WHERE id = ?', [patch.seal(id) ?? null, id]);
  if (outcome.waitUntil !== undefined && expiresAt !== null)
    await raiseWait(queries, row.event_id, expiresAt, head.now);
  if (!active) {
    await queries.write(HOLD, [id]);
    return;
  }
  await resumeFirings(
    queries,
    { cawinId: id, endpointId: endpoint },
    asked(ends, notifyOn, { cawinId: id, endpointId: endpoint }),
  );
}

function patched(row: CawinRow, patch: CawinPatch) {
  return {
    active: patch.active ?? row.active === 1,
    notifyOn: patch.notifyOn ?? kindsOf(row.notify_on),
    expiresAt: patch.expiresAt === undefined ? row.expires_at : patch.expiresAt,
  };
}

/** What was put aside is due now, and what has ended and never fired is recorded. */
async function resumeFirings(
  queries: Queries,
  { cawinId, endpointId: endpoint }: Pick<NewFiring, 'cawinId' | 'endpointId'>,
  firings: readonly NewFiring[],
): Promise<void> {
  await expectWork(queries, [endpoint]);
  await queries.write('UPDATE firing SET endpoint_id = ? WHERE cawin_id = ?', [endpoint, cawinId]);
  await queries.write(UNHOLD, [cawinId]);
  await addFirings(queries, firings);
}

async function updateCallback(queries: Queries, id: number, callback: CallbackRecord, endpoint: number): Promise<void> {
  await queries.write(
    `UPDATE cawin SET endpoint_id = ?, url = ?, header_names = ?, timeout_ms = ?, signed = ?, former_secret_until = ? WHERE id = ?`,
    [
      ...[endpoint, Buffer.from(callback.url), namesColumn(callback), callback.timeoutMs, callback.signed ? 1 : 0],
      ...[callback.formerSecretUntil ?? null, id],
    ],
  );
}
