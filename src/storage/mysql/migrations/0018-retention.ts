// What retention has taken, topic by topic, how far it has looked, what it kept for somebody, and who deletes. And the spans that the
// database's clock leapt over.
//
// An instance of before goes on beside: it deletes nothing, and what is gone is to it as what never was, but for a push that is repeated
// within 24 h of its event, whose id the ledger has: such an instance answers INTERNAL. Topics are to be given a ttl below 24 h once no
// such instance runs any more.

import type { Knex } from 'knex';
import { addKey } from './missing.js';

/**
 * Who deletes. `sampled_at`: when the database's clock was looked at last; 0: never. `stopped_at`: since when nothing is deleted because
 * the clock leapt by `leapt_by` microseconds. `waits_until`: until then nothing is deleted, as nobody had for long. Times are
 * microseconds by the database's clock.
 */
const CURSOR = `
  CREATE TABLE IF NOT EXISTS retention_cursor (
    id TINYINT UNSIGNED NOT NULL PRIMARY KEY,
    owner VARBINARY(64) NOT NULL,
    owner_epoch BIGINT UNSIGNED NOT NULL,
    lease_until BIGINT UNSIGNED NOT NULL,
    sampled_at BIGINT UNSIGNED NOT NULL,
    stopped_at BIGINT UNSIGNED NULL,
    leapt_by BIGINT NOT NULL,
    waits_until BIGINT UNSIGNED NOT NULL
  ) ENGINE=InnoDB`;

/**
 * `looked_to`: of the topic, everything up to here is gone, or kept in retention_kept. The counts are those since the beginning;
 * events are entries of the kind OCCURRED.
 */
const TOPIC = `
  CREATE TABLE IF NOT EXISTS retention_topic (
    topic_id INT UNSIGNED NOT NULL PRIMARY KEY,
    looked_to BIGINT UNSIGNED NOT NULL,
    gone_events BIGINT UNSIGNED NOT NULL,
    gone_bytes BIGINT UNSIGNED NOT NULL,
    gone_at BIGINT UNSIGNED NOT NULL
  ) ENGINE=InnoDB`;

/** Entries that were due and stayed, alone. Reasons: 1 parked, 2 a callback is still to be made. */
const KEPT = `
  CREATE TABLE IF NOT EXISTS retention_kept (
    topic_id INT UNSIGNED NOT NULL,
    position BIGINT UNSIGNED NOT NULL,
    reason TINYINT UNSIGNED NOT NULL,
    kept_at BIGINT UNSIGNED NOT NULL,
    PRIMARY KEY (topic_id, position)
  ) ENGINE=InnoDB`;

const LEAPT_SPAN = `
  CREATE TABLE IF NOT EXISTS leapt_span (
    leapt_from BIGINT UNSIGNED NOT NULL PRIMARY KEY,
    leapt_to BIGINT UNSIGNED NOT NULL
  ) ENGINE=InnoDB`;

export const retentionMigration = {
  name: '0018-retention',
  async up(knex: Knex): Promise<void> {
    for (const statement of [CURSOR, TOPIC, KEPT, LEAPT_SPAN]) await knex.raw(statement);
    await knex.raw(
      `INSERT IGNORE INTO retention_cursor (id, owner, owner_epoch, lease_until, sampled_at, stopped_at, leapt_by, waits_until)
       VALUES (1, '', 0, 0, 0, NULL, 0, 0)`,
    );
    // Who has an event parked is asked by the event.
    await addKey(knex, 'consumer_trouble', 'consumer_trouble_position', 'position');
  },
};
