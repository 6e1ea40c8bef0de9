// Consumers in MySQL; see ConsumerStore for what each method promises. Places in the log are written by consumer-flush.ts.

import type { ConsumerKey } from '../../../domain/consumers/consumer.js';
import { bug } from '../../../domain/errors.js';
import { ALL_CONTEXTS } from '../../../domain/names.js';
import {
  type Acquired,
  type ConsumerDraft,
  type ConsumerRecord,
  type ConsumerStore,
  type Hold,
  type LeaseBlock,
  type ListConsumersOptions,
  type OffsetWrite,
  OWNERSHIP_LEASE_MS,
} from '../../ports/consumer-storage.js';
import type { EndedRuns, Instance } from '../../ports/log-storage.js';
import type { Database, Queries, SqlValue } from '../sql/database.js';
import { placeholders } from '../sql/placeholders.js';
import { afterPrefix } from '../sql/prefix.js';
import { isDuplicateKey } from '../sql/sql-errors.js';
import { flushOffsets } from './consumer-flush.js';
import {
  CONSUMER_COLUMNS,
  type ConsumerRow,
  FAILURE_STATES,
  type FailureRow,
  failureOf,
  NEXT_AT,
  recordOf,
} from './consumer-rows.js';
import { deleteConsumer, insertConsumers, nameValues, recreateConsumer } from './consumer-writes.js';

const LEASE_END = `NOW(6) + INTERVAL ${OWNERSHIP_LEASE_MS * 1000} MICROSECOND`;
/** An ephemeral consumer that nobody ran for so long is gone. */
const EPHEMERAL_GRACE_SECONDS = 60;
const MAX_SWEPT = 500;

const BY_NAME = 'FROM consumer WHERE context = ? AND name = ?';
/** Reads one row of the index consumer_name. */
const SELECT_BY_NAME = `SELECT ${CONSUMER_COLUMNS}, acked_above ${BY_NAME}`;
const SELECT_ACQUIRED = `
  SELECT ${CONSUMER_COLUMNS}, acked_above,
    EXISTS (SELECT 1 FROM consumer_gap g FORCE INDEX (consumer_gap_consumer) WHERE g.consumer_id = consumer.id) AS has_gaps ${BY_NAME}`;
/** Reads one row of the index consumer_name, and one of the log. */
const SELECT_SHOWN = `SELECT ${CONSUMER_COLUMNS}, acked_above, ${NEXT_AT} ${BY_NAME}`;
// Take-over is decided by the database's clock alone. NOW(6) is the time at which the statement began: after a wait for
// the row's lock it is in the past, so the lease ends sooner than it might, never later than the owner believes.
const ACQUIRE = `
  UPDATE consumer SET owner = ?, owner_address = ?, owner_epoch = owner_epoch + 1, lease_until = ${LEASE_END},
    next_lease = next_lease + ?
  WHERE context = ? AND name = ? AND deleted_at IS NULL AND (owner = '' OR owner = ? OR lease_until < NOW(6))`;
/** A lease that ends later than any may was given by a clock that was set back since: it begins anew. */
const SHORTEN = `UPDATE consumer SET lease_until = ${LEASE_END} WHERE id = ? AND lease_until > ${LEASE_END}`;
/** Reads the index consumer_owner. */
const RENEW = `UPDATE consumer FORCE INDEX (consumer_owner) SET lease_until = ${LEASE_END} WHERE owner = ?`;
/** Reads the index consumer_owner. */
const RELEASE_ENDED = `
  UPDATE consumer FORCE INDEX (consumer_owner)
  SET owner = '', owner_address = '', owner_epoch = owner_epoch + 1, lease_until = NOW(6)
  WHERE owner >= ? AND owner < ?`;
const RESERVE = 'UPDATE consumer SET next_lease = next_lease + ? WHERE id = ? AND owner_epoch = ?';
const ORPHANED = `ephemeral = 1 AND deleted_at IS NULL AND lease_until < NOW(6) - INTERVAL ${EPHEMERAL_GRACE_SECONDS} SECOND`;
/** Reads the index consumer_ephemeral. */
const SELECT_ORPHANS = `SELECT id, owner_epoch FROM consumer FORCE INDEX (consumer_ephemeral) WHERE ${ORPHANED} ORDER BY id LIMIT ${MAX_SWEPT}`;
const FORGET_EPHEMERAL = `
  DELETE FROM consumer WHERE ephemeral = 1 AND deleted_at < NOW(6) - INTERVAL 1 DAY LIMIT ${MAX_SWEPT}`;

export class MysqlConsumerStore implements ConsumerStore {
  readonly #database: Database;

  constructor({ database }: { readonly database: Database }) {
    this.#database = database;
  }

  async create(draft: ConsumerDraft): Promise<{ record: ConsumerRecord; created: boolean }> {
    for (;;) {
      const row = await this.#row(draft, SELECT_BY_NAME);
      if (row !== undefined && row.deleted === 0) return { record: recordOf(row), created: false };
      const created =
        row === undefined ? await this.#insert(draft) : await recreateConsumer(this.#database, row.id, draft);
      const stored = created ? await this.#row(draft, SELECT_BY_NAME) : undefined;
      if (stored !== undefined && stored.deleted === 0) return { record: recordOf(stored), created: true };
    }
  }

  async find(key: ConsumerKey): Promise<ConsumerRecord | undefined> {
    const row = await this.#row(key, SELECT_SHOWN);
    return row === undefined || row.deleted === 1 ? undefined : recordOf(row);
  }

  async list(options: ListConsumersOptions): Promise<readonly ConsumerRecord[]> {
    const { conditions, values } = listConditions(options);
    const rows = await this.#database.query<ConsumerRow>(
      `SELECT ${CONSUMER_COLUMNS}, ${NEXT_AT} FROM consumer FORCE INDEX (consumer_name) WHERE ${conditions.join(' AND ')}
       ORDER BY context, name LIMIT ?`,
      [...values, options.limit],
    );
    return rows.map(recordOf);
  }

  async acked(ids: readonly number[]): Promise<ReadonlyMap<number, Uint8Array>> {
    if (ids.length === 0) return new Map();
    const rows = await this.#database.query<{ id: number; acked_above: Buffer }>(
      `SELECT id, acked_above FROM consumer FORCE INDEX (PRIMARY) WHERE id IN (${placeholders(ids.length)}) AND acked_above <> ''`,
      ids,
    );
    return new Map(rows.map((row) => [row.id, row.acked_above]));
  }

  async countParked(ids: readonly number[]): Promise<ReadonlyMap<number, number>> {
    if (ids.length === 0) return new Map();
    const rows = await this.#database.query<{ consumer_id: number; parked: number }>(
      `SELECT consumer_id, COUNT(*) AS parked FROM consumer_trouble FORCE INDEX (consumer_trouble_state)
       WHERE consumer_id IN (${placeholders(ids.length)}) AND state = ${FAILURE_STATES.PARKED} GROUP BY consumer_id`,
      ids,
    );
    return new Map(rows.map((row) => [row.consumer_id, row.parked]));
  }

  async acquire(key: ConsumerKey, instance: Instance, leases: number): Promise<Acquired> {
    for (;;) {
      const result = await this.#database.transaction((transaction) => tryAcquire(transaction, key, instance, leases));
      if (result !== 'again') return result;
    }
  }

  async renew(instance: string): Promise<number> {
    return (await this.#database.write(RENEW, [Buffer.from(instance)])).affectedRows;
  }

  async listOwned(instance: string): Promise<readonly (Hold & ConsumerKey)[]> {
    const rows = await this.#database.query<Pick<ConsumerRow, 'id' | 'context' | 'name' | 'owner_epoch'>>(
      'SELECT id, context, name, owner_epoch FROM consumer FORCE INDEX (consumer_owner) WHERE owner = ?',
      [Buffer.from(instance)],
    );
    return rows.map((row) => ({
      id: row.id,
      epoch: row.owner_epoch,
      context: row.context.toString(),
      name: row.name.toString(),
    }));
  }

  async release(holds: readonly Hold[]): Promise<void> {
    const sorted = [...holds].sort((a, b) => a.id - b.id);
    for (let from = 0; from < sorted.length; from += MAX_SWEPT) {
      const chunk = sorted.slice(from, from + MAX_SWEPT);
      await this.#database.query(
        `UPDATE consumer FORCE INDEX (PRIMARY) SET owner = '', owner_address = '', lease_until = NOW(6)
         WHERE ${chunk.map(() => '(id = ? AND owner_epoch = ?)').join(' OR ')}`,
        chunk.flatMap((hold) => [hold.id, hold.epoch]),
      );
    }
  }

  async releaseEnded({ first, before }: EndedRuns): Promise<void> {
    await this.#database.write(RELEASE_ENDED, [Buffer.from(first), Buffer.from(before)]);
  }

  async reserveLeases(hold: Hold, count: number): Promise<LeaseBlock | undefined> {
    return this.#database.transaction(async (transaction) => {
      const { affectedRows } = await transaction.write(RESERVE, [count, hold.id, hold.epoch]);
      if (affectedRows === 0) return undefined;
      const [row] = await transaction.execute<{ next_lease: number }>('SELECT next_lease FROM consumer WHERE id = ?', [
        hold.id,
      ]);
      if (row === undefined) throw bug(`consumer ${hold.id} vanished under its lock`);
      return { next: row.next_lease - count, end: row.next_lease };
    });
  }

  flush(writes: readonly OffsetWrite[]): Promise<ReadonlySet<number>> {
    return flushOffsets(this.#database, writes);
  }

  delete(hold: Hold): Promise<boolean> {
    return this.#database.transaction((transaction) => deleteConsumer(transaction, hold));
  }

  async sweepEphemeral(before: readonly Hold[]): Promise<readonly Hold[]> {
    const rows = await this.#database.query<{ id: number; owner_epoch: number }>(SELECT_ORPHANS);
    const orphans = rows.map(({ id, owner_epoch: epoch }) => ({ id, epoch }));
    const epochs = new Map(before.map(({ id, epoch }) => [id, epoch]));
    // Whoever acquires it in between raises the epoch, and the consumer stays.
    for (const orphan of orphans) if (epochs.get(orphan.id) === orphan.epoch) await this.delete(orphan);
    await this.#database.write(FORGET_EPHEMERAL);
    return orphans;
  }

  async #row(key: ConsumerKey, sql: string): Promise<ConsumerRow | undefined> {
    const [row] = await this.#database.execute<ConsumerRow>(sql, nameValues(key));
    return row;
  }

  /** False when somebody else inserted it first. */
  async #insert(draft: ConsumerDraft): Promise<boolean> {
    try {
      await insertConsumers(this.#database, [draft]);
      return true;
    } catch (error) {
      if (isDuplicateKey(error)) return false;
      throw error;
    }
  }
}

/** Tries once to acquire a consumer; `again`: its row came free, or into being, between the two statements. */
async function tryAcquire(
  queries: Queries,
  key: ConsumerKey,
  instance: Instance,
  leases: number,
): Promise<Acquired | 'again'> {
  const [context, name] = nameValues(key);
  const owner = Buffer.from(instance.id);
  const values = [owner, Buffer.from(instance.address), leases, context, name, owner];
  const { affectedRows } = await queries.write(ACQUIRE, values);
  const [row] = await queries.execute<AcquiredRow>(SELECT_ACQUIRED, [context, name]);
  if (row === undefined || row.deleted === 1) return { kind: 'unknown' };
  if (affectedRows === 1) return acquired(row, leases, await readFailures(queries, row.id));
  const present = recordOf(row).owner;
  if (present === undefined || present.id === instance.id) return 'again';
  await queries.write(SHORTEN, [row.id]);
  return { kind: 'owned', owner: present };
}

interface AcquiredRow extends ConsumerRow {
  readonly has_gaps: 0 | 1;
}

function acquired(row: AcquiredRow, leases: number, failures: readonly FailureRow[]): Acquired {
  return {
    kind: 'acquired',
    record: recordOf(row),
    hold: { id: row.id, epoch: row.owner_epoch },
    leases: { next: row.next_lease - leases, end: row.next_lease },
    failures: failures.map(failureOf),
    hasGaps: row.has_gaps === 1,
  };
}

function readFailures(queries: Queries, id: number): Promise<FailureRow[]> {
  return queries.execute<FailureRow>(
    `SELECT position, attempts, losses, not_before_ms, failed_lease, parked_at, state FROM consumer_trouble
     WHERE consumer_id = ? ORDER BY position`,
    [id],
  );
}

function listConditions(options: ListConsumersOptions): { conditions: string[]; values: SqlValue[] } {
  const { context, withAll = false, namePrefix = '', after } = options;
  const conditions = ['deleted_at IS NULL'];
  const values: SqlValue[] = [];
  const add = (condition: string, ...added: SqlValue[]) => {
    conditions.push(condition);
    values.push(...added);
  };
  if (context !== ALL_CONTEXTS && withAll) add('context IN (?, ?)', Buffer.from(context), Buffer.from(ALL_CONTEXTS));
  else if (context !== ALL_CONTEXTS) add('context = ?', Buffer.from(context));
  if (namePrefix !== '') add('name >= ? AND name < ?', Buffer.from(namePrefix), afterPrefix(namePrefix));
  if (after !== undefined) {
    const [afterContext, afterName] = nameValues(after);
    add('(context > ? OR (context = ? AND name > ?))', afterContext, afterContext, afterName);
  }
  return { conditions, values };
}
