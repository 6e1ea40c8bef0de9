// Databases with a long history, as the plans of statements are tried on: made by SQL, as pushing it would take minutes.

import { type Connection, createConnection } from 'mysql2/promise';
import { FiringState } from '../../src/domain/cawins/cawin.js';
import { CircuitState } from '../../src/domain/cawins/endpoint-circuit.js';
import { DEFAULT_SETTINGS } from '../../src/domain/consumers/consumer.js';
import { encodeShape, shapeOf } from '../../src/domain/descriptions/shape.js';
import { EntryKind } from '../../src/domain/events/event.js';
import { encodeSettings } from '../../src/storage/mysql/consumers/consumer-rows.js';
import { Database } from '../../src/storage/mysql/sql/database.js';
import { migrate } from '../../src/storage/mysql/sql/schema.js';
import { numbers } from '../support/database/numbers.js';
import type { PrivateDatabase } from '../support/database/private-database.js';

/** Events of a log: enough for an optimizer to go astray. */
export const EVENTS = 1_200_000;
/** Rows of the tables beside the log, where not told otherwise. */
export const OTHERS = 200_000;
/** Topics and streams with events, each with about as many; the last one has few. */
export const NAMES = 10;
/** Every so many events one is of the last topic, and of the last stream. */
export const RARE = 50_000;
/** Wait and firing of these numbers, and what is below, are due. */
export const DUE = 600;
/** The topic of a log of several whose events have all expired. */
export const EXPIRED = NAMES - 1;
/** Archives, of 100 topics. */
export const ARCHIVES = 40_000;
/** Data subjects, each with 100 events. */
export const SUBJECTS = OTHERS / 100;
/** Counters of topics, and of streams, of each day. */
export const COUNTED_A_DAY = 100;
const CHUNK = 100_000;
const SHAPE = shapeOf([['n']]);
/** When pushes that left no entry came, in microseconds. */
export const PUSHED_AT = 1e12;
/** A time in the future, in microseconds. */
const LATER = 4e15;

/** What every part of a log is about: one topic and one stream, or several. */
export type Variety = 'one' | 'several';

export interface AgedLog {
  readonly variety: Variety;
  readonly url: string;
}

/** Settings of the server: memory for all of it, and no care for what it would lose. */
export const FAST = [
  ...['--innodb-buffer-pool-size=768M', '--loose-innodb-log-file-size=768M', '--loose-innodb-redo-log-capacity=768M'],
  ...['--innodb-flush-log-at-trx-commit=0', '--innodb-doublewrite=OFF', '--skip-log-bin'],
  // Statistics are as the tests make them.
  '--innodb-stats-auto-recalc=OFF',
  // What the engine passes over in an index is then counted, too.
  '--optimizer-switch=index_condition_pushdown=off',
];

export async function makeAgedLog(server: PrivateDatabase, variety: Variety): Promise<AgedLog> {
  const name = `aged_${variety}`;
  const admin = await createConnection(server.adminUrl);
  await admin.query(`CREATE DATABASE ${name}`);
  await admin.end();
  const url = `${server.adminUrl}${name}`;
  const database = new Database({ url, poolSize: 2, random: Math.random });
  await migrate(database);
  await database.close();
  const connection = await createConnection({ uri: url, multipleStatements: true });
  // As tables are that have grown: rows that are inserted together are neighbours.
  await connection.query('SET unique_checks = 0, foreign_key_checks = 0');
  await fillLog(connection, variety === 'one' ? '1' : `IF(seq MOD ${RARE} = 7, ${NAMES}, 1 + seq MOD ${NAMES - 1})`);
  await fillOthers(connection);
  await connection.end();
  return { variety, url };
}

async function fillLog(connection: Connection, name: string): Promise<void> {
  for (let first = 1; first <= EVENTS; first += CHUNK) {
    await connection.query(`INSERT INTO log (position, kind, event_id, context_id, topic_id, stream_id, sequence, message_id, created_at,
        version, subject, issuer, payload_bytes, payload)
      SELECT seq, IF(${name} = ${EXPIRED}, ${EntryKind.EXPIRED}, ${EntryKind.OCCURRED}), seq, 1, ${name}, ${name}, seq, UNHEX(LPAD(HEX(seq), 32, '0')), seq * 1000, 1, 0, 'shop', 200,
        CONCAT('{"n":', seq, ',"pad":"', REPEAT('x', 170), '"}') FROM ${numbers(first, first + CHUNK - 1)} ORDER BY seq`);
  }
}

/** Rows of all other tables. Names are padded with zeros, so that they are in the order of their numbers. */
async function fillOthers(connection: Connection): Promise<void> {
  const settings = encodeSettings(DEFAULT_SETTINGS);
  const all = numbers(1, OTHERS);
  for (const sql of [
    `UPDATE log_head SET position = ${EVENTS}, next_event_id = 10000000, next_context_id = 1000, next_topic_id = 1000000,
       next_stream_id = 1000000, created_at = ${EVENTS} * 1000`,
    `INSERT INTO context (id, name) SELECT seq, IF(seq = 1, 'default', CONCAT('context ', seq)) FROM ${numbers(1, 20)}`,
    `INSERT INTO topic (id, context_id, name) SELECT seq, 1, CONCAT('topic ', LPAD(seq, 6, '0')) FROM ${all} ORDER BY seq`,
    `INSERT INTO stream (id, context_id, name, owner, epoch, last_sequence, first_position, last_position, first_event_at, last_event_at)
     SELECT seq, 1, CONCAT('stream ', LPAD(seq, 6, '0')), '', 0, 1, 1, 1, 1, 1 FROM ${all} ORDER BY seq`,
    `INSERT INTO shape (id, topic_id, digest, paths, ready, watched_after, built_to) VALUES (1, 1, UNHEX(REPEAT('00', 17)), X'${encodeShape(SHAPE).toString('hex')}', 1, 0, 0)`,
    `INSERT INTO shape_index (shape_id, value_hash, position)
     SELECT 1, ${hash("'1'", 17)}, seq * 6 FROM ${all} ORDER BY seq`,
    `INSERT INTO shape_index (shape_id, value_hash, position)
     SELECT 1, ${hash('seq + 1000', 17)}, seq FROM ${all} ORDER BY seq`,
    `INSERT INTO wait (event_id, context_id, topic_id, version, shape_id, value_hash, state, created_at, expires_at, entry_event_id, position,
       issuer, message_id, description)
     SELECT ${EVENTS} + seq, 1, 1 + seq MOD 2, 1, 1, ${hash('seq', 17)}, IF(seq MOD 4 = 0, 1, 0), 1, IF(seq <= ${DUE}, seq, ${LATER}),
       IF(seq MOD 4 = 0, seq, NULL), IF(seq MOD 4 = 0, seq, 0), 'shop', ${hash('seq', 16)}, '{"n":1}' FROM ${all} ORDER BY seq`,
    `INSERT INTO event_identity (topic_id, digest, event_id, position) SELECT 1, ${hash('seq', 34)}, seq, seq FROM ${all} ORDER BY seq`,
    `INSERT INTO push_ledger (context_id, message_id, issuer, event_id, created_at)
     SELECT 1, ${hash(`seq + ${10 * EVENTS}`, 16)}, 'shop', ${EVENTS} + seq, ${PUSHED_AT} + seq FROM ${all} ORDER BY seq`,
    `INSERT INTO consumer (id, context, name, settings, ephemeral, generation, generation_lease, next_lease, acked_to, acked_above, created_at,
       deleted_at, owner, owner_address, owner_epoch, lease_until)
     SELECT seq, 'default', CONCAT('consumer ', LPAD(seq, 6, '0')), '${settings}', seq MOD 2, 1, 1, 1, 0, '', 1,
       IF(seq MOD 1000 = 1, NOW(6) - INTERVAL 2 DAY, NULL), IF(seq MOD 5000 = 2, 'few', 'many'), 'here', 1,
       IF(seq MOD 4000 = 3, NOW(6) - INTERVAL 2 MINUTE, NOW(6) + INTERVAL 1 DAY) FROM ${numbers(1, 20_000)} ORDER BY seq`,
    `INSERT INTO consumer_trouble (consumer_id, position, attempts, losses, not_before_ms, reason, state)
     SELECT 1 + seq DIV 50, seq, 1, 0, 0, '', 1 FROM ${all} ORDER BY seq`,
    `INSERT INTO offset_move (consumer_id, kind, moved_at, moved_by, reason, snapshot, former_offset, acked_to, generation)
     SELECT 1 + seq DIV 50, 2, seq, '', '', '', 1, seq, 1 FROM ${all} ORDER BY seq`,
    `INSERT INTO consumer_snapshot (consumer_id, name, acked_to, acked_last, acked_above, settings, generation, saved_at, saved_by)
     SELECT 1 + seq DIV 50, CONCAT('snapshot ', LPAD(seq MOD 50, 6, '0')), seq, 0, '', '{}', 1, seq, '' FROM ${all} ORDER BY seq`,
    `INSERT INTO endpoint (id, origin, state, failures, ready_at, next_probe_at, changed_at)
     SELECT seq, CONCAT('http://', seq), ${CircuitState.CLOSED}, 0, seq, 0, 0 FROM ${numbers(1, 20_000)} ORDER BY seq`,
    `INSERT INTO cawin (id, event_id, context_id, active, closed, notify_on, endpoint_id, url, header_names, timeout_ms, signed, request_id,
       created_at, deadline)
     SELECT seq, IF(seq <= ${OTHERS / 2}, 1, seq), 1, 1, 0, 14, 1, 'http://1/', '[]', 1000, 0, seq, 0, IF(seq <= ${DUE}, seq, ${LATER})
     FROM ${all} ORDER BY seq`,
    `INSERT INTO firing (cawin_id, kind, position, endpoint_id, state, due_at, token, attempts, round_start, created_at)
     SELECT seq, 1, 1, IF(seq <= ${OTHERS / 2}, 1, 1 + seq MOD 20000), ${FiringState.PENDING}, seq, 0, 0, 0, 0 FROM ${all} ORDER BY seq`,
    `INSERT INTO attempt (cawin_id, kind, number, started_at, outcome, reason, status, status_code, latency_us, first_bytes, error)
     SELECT 1 + seq DIV 1000, 1, seq MOD 1000, 1, 2, '', '', 500, 1, '', '' FROM ${all} ORDER BY seq`,
    `INSERT INTO count_topic_day (utc_day, topic_id, context_id, reserved, events, bytes)
     SELECT seq DIV ${COUNTED_A_DAY}, 1 + seq MOD ${COUNTED_A_DAY}, 1, 0, seq, seq FROM ${all} ORDER BY seq`,
    `INSERT INTO count_stream_day (utc_day, stream_id, topic_id, context_id, events, bytes)
     SELECT seq DIV ${COUNTED_A_DAY}, 1 + seq MOD ${COUNTED_A_DAY}, 1, 1, seq, seq FROM ${all} ORDER BY seq`,
    `INSERT INTO count_stream_month (utc_month, stream_id, context_id, events, bytes)
     SELECT seq MOD 10, seq, 1, seq, seq FROM ${all} ORDER BY seq`,
    `INSERT INTO count_stream (stream_id, topic_id, events, addressed) SELECT seq, 1, seq, 0 FROM ${all} ORDER BY seq`,
    `INSERT INTO count_series (topic_id, context_id, events, addressed, marked) SELECT seq - 1, 1, seq, 0, seq FROM ${all} ORDER BY seq`,
    `INSERT INTO event_subject (subject_key, context_id, position, event_id)
     SELECT ${hash(`seq MOD ${SUBJECTS}`, 16)}, 1, seq, seq FROM ${all} ORDER BY seq`,
    `INSERT INTO erasure (position, context_id, subject_digest, stream_id, before_event_id, decided_at, done_to, events, moved_at, finished_at)
     SELECT seq * 200, 1, ${hash('seq', 32)}, NULL, 1, 1, 0, 0, 1, IF(seq MOD 600 = 1, NULL, 1) FROM ${numbers(1, EVENTS / 200)} ORDER BY seq`,
    `INSERT INTO archive (id, topic_id, name, instance, opened_at, first_position, last_position, entries, payload_bytes, first_at, last_at,
       file_bytes, sealed_at, sha256, digest)
     SELECT seq, 1 + seq MOD 100, CONCAT('archive ', seq), 'gone 1', 1, seq, seq, 1, 1, 1, 1, 1, IF(seq MOD 4000 = 1, NULL, 1), NULL, NULL
     FROM ${numbers(1, ARCHIVES)} ORDER BY seq`,
    `INSERT INTO archive_subject (subject_key, context_id, archive_id)
     SELECT ${hash(`seq MOD ${SUBJECTS}`, 16)}, 1, 1 + seq MOD ${ARCHIVES - 1} FROM ${all} ORDER BY seq`,
    `INSERT INTO archive_stream (stream_id, archive_id) SELECT 1 + seq MOD 1000, seq FROM ${numbers(1, ARCHIVES)} ORDER BY seq`,
    `INSERT INTO deleted_topic (topic_id, last_position) SELECT seq, seq * 6 FROM ${all} ORDER BY seq`,
    `INSERT INTO consumer_gap (consumer_id, first_position, last_position, events, taken_epoch)
     SELECT seq, 1, 2, 1, 0 FROM ${numbers(1, 20_000)} ORDER BY seq`,
    `INSERT INTO retention_topic (topic_id, looked_to, gone_events, gone_bytes, gone_at) SELECT seq, 0, 1, 1, 1 FROM ${all} ORDER BY seq`,
    `INSERT INTO retention_kept (topic_id, position, reason, kept_at) SELECT 1, seq, 1 + seq MOD 2, 1 FROM ${all} ORDER BY seq`,
    `INSERT INTO stream_truncation (stream_id, up_to_sequence) SELECT seq, 1 FROM ${all} ORDER BY seq`,
    `INSERT INTO topic_schema (topic_id, version, created_at, digest, schema_text)
     SELECT 1, seq, 1, ${hash('seq', 32)}, '{}' FROM ${numbers(1, 1_000)} ORDER BY seq`,
    `INSERT INTO count_mark (topic_id, context_id, position, events)
     SELECT seq MOD 3, 1, 1 + seq DIV 3 * 60, 1 FROM ${numbers(1, 60_000)} ORDER BY seq`,
  ])
    await connection.query(sql);
}

/** Bytes of a number, as wide as the column. */
function hash(number: string, bytes: number): string {
  return `UNHEX(LPAD(HEX(${number}), ${2 * bytes}, '0'))`;
}

/** The bytes that `hash` makes of a number. */
export function hashOf(number: number, bytes: number): Buffer {
  return Buffer.from(number.toString(16).padStart(2 * bytes, '0'), 'hex');
}
