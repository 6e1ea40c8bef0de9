// What is awaited: waits, the shapes that topics watch, the index of what occurred by the values of a shape, identities of
// described events, and the pushes that left no entry. Shapes are numbered across topics.

import type { Knex } from 'knex';

const WAIT = `
  CREATE TABLE IF NOT EXISTS wait (
    event_id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
    context_id INT UNSIGNED NOT NULL,
    topic_id INT UNSIGNED NOT NULL,
    version INT UNSIGNED NOT NULL,
    shape_id INT UNSIGNED NOT NULL,
    value_hash BINARY(17) NOT NULL,
    state TINYINT UNSIGNED NOT NULL,
    created_at BIGINT UNSIGNED NOT NULL,
    expires_at BIGINT UNSIGNED NOT NULL,
    entry_event_id BIGINT UNSIGNED NULL,
    position BIGINT UNSIGNED NOT NULL,
    issuer VARBINARY(255) NOT NULL,
    message_id BINARY(16) NOT NULL,
    description MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL,
    envelope MEDIUMTEXT CHARACTER SET utf8mb4 NULL,
    KEY wait_match (shape_id, value_hash, state),
    KEY wait_due (state, expires_at),
    KEY wait_open (state, event_id),
    KEY wait_topic (topic_id, state, event_id),
    KEY wait_entry (entry_event_id)
  ) ENGINE=InnoDB`;

const SHAPE = `
  CREATE TABLE IF NOT EXISTS shape (
    id INT UNSIGNED NOT NULL PRIMARY KEY,
    topic_id INT UNSIGNED NOT NULL,
    digest BINARY(17) NOT NULL,
    paths MEDIUMBLOB NOT NULL,
    ready TINYINT UNSIGNED NOT NULL,
    watched_after BIGINT UNSIGNED NOT NULL,
    built_to BIGINT UNSIGNED NOT NULL,
    UNIQUE KEY shape_paths (topic_id, digest)
  ) ENGINE=InnoDB`;

const SHAPE_INDEX = `
  CREATE TABLE IF NOT EXISTS shape_index (
    shape_id INT UNSIGNED NOT NULL,
    value_hash BINARY(17) NOT NULL,
    position BIGINT UNSIGNED NOT NULL,
    PRIMARY KEY (shape_id, value_hash, position)
  ) ENGINE=InnoDB`;

const IDENTITY = `
  CREATE TABLE IF NOT EXISTS event_identity (
    topic_id INT UNSIGNED NOT NULL,
    digest BINARY(34) NOT NULL,
    event_id BIGINT UNSIGNED NOT NULL,
    position BIGINT UNSIGNED NOT NULL,
    PRIMARY KEY (topic_id, digest, event_id),
    KEY event_identity_event (event_id)
  ) ENGINE=InnoDB`;

const PUSH_LEDGER = `
  CREATE TABLE IF NOT EXISTS push_ledger (
    context_id INT UNSIGNED NOT NULL,
    message_id BINARY(16) NOT NULL,
    issuer VARBINARY(255) NOT NULL,
    digest VARBINARY(32) NULL,
    event_id BIGINT UNSIGNED NOT NULL,
    created_at BIGINT UNSIGNED NOT NULL,
    PRIMARY KEY (context_id, message_id),
    KEY push_ledger_age (created_at)
  ) ENGINE=InnoDB`;

// The column is position, as in the log; 0 becomes NULL for people.
const WAITS_VIEW = `
  CREATE OR REPLACE VIEW waits AS SELECT
    w.event_id AS id, ELT(w.state + 1, 'AWAITED', 'OCCURRED', 'INVALIDATED', 'EXPIRED') AS status,
    CONVERT(c.name USING utf8mb4) AS context, CONVERT(t.name USING utf8mb4) AS topic,
    CONVERT(w.issuer USING utf8mb4) AS issuer, w.description,
    FROM_UNIXTIME(w.created_at / 1000000) AS created_at, FROM_UNIXTIME(w.expires_at / 1000000) AS expires_at,
    w.entry_event_id AS ended_by_id, NULLIF(w.position, 0) AS position
  FROM wait w JOIN topic t ON t.id = w.topic_id JOIN context c ON c.id = w.context_id`;

const HEAD_COLUMNS = { next_shape_id: 1, ledgered_at: 0 } as const;

export const waitsMigration = {
  name: '0003-waits',
  async up(knex: Knex): Promise<void> {
    for (const statement of [WAIT, SHAPE, SHAPE_INDEX, IDENTITY, PUSH_LEDGER, WAITS_VIEW]) await knex.raw(statement);
    for (const [column, start] of Object.entries(HEAD_COLUMNS)) {
      // MySQL 8 has no ADD COLUMN IF NOT EXISTS.
      if (await knex.schema.hasColumn('log_head', column)) continue;
      await knex.raw(`ALTER TABLE log_head ADD COLUMN ${column} BIGINT UNSIGNED NOT NULL DEFAULT ${start}`);
    }
  },
};
