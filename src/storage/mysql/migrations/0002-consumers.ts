// Consumers: their settings, their place in the log, who runs them, and the events that gave them trouble. Contexts and
// names are stored as they are: a consumer may belong to `all`, and exists before any event of its context does.

import type { Knex } from 'knex';

const CONSUMER = `
  CREATE TABLE IF NOT EXISTS consumer (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    context VARBINARY(255) NOT NULL,
    name VARBINARY(255) NOT NULL,
    settings MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL,
    ephemeral TINYINT UNSIGNED NOT NULL,
    generation BIGINT UNSIGNED NOT NULL,
    generation_lease BIGINT UNSIGNED NOT NULL,
    next_lease BIGINT UNSIGNED NOT NULL,
    acked_to BIGINT UNSIGNED NOT NULL,
    acked_above MEDIUMBLOB NOT NULL,
    moved_at BIGINT UNSIGNED NULL,
    created_at BIGINT UNSIGNED NOT NULL,
    deleted_at DATETIME(6) NULL,
    owner VARBINARY(64) NOT NULL,
    owner_address VARBINARY(255) NOT NULL,
    owner_epoch BIGINT UNSIGNED NOT NULL,
    lease_until DATETIME(6) NOT NULL,
    UNIQUE KEY consumer_name (context, name),
    KEY consumer_owner (owner),
    KEY consumer_ephemeral (ephemeral, deleted_at, lease_until)
  ) ENGINE=InnoDB`;

const CONSUMER_TROUBLE = `
  CREATE TABLE IF NOT EXISTS consumer_trouble (
    consumer_id BIGINT UNSIGNED NOT NULL,
    position BIGINT UNSIGNED NOT NULL,
    attempts INT UNSIGNED NOT NULL,
    losses INT UNSIGNED NOT NULL,
    not_before_ms BIGINT UNSIGNED NOT NULL,
    reason VARCHAR(1024) CHARACTER SET utf8mb4 NOT NULL,
    state TINYINT UNSIGNED NOT NULL,
    PRIMARY KEY (consumer_id, position)
  ) ENGINE=InnoDB`;

// The column names avoid OFFSET, which is reserved; the view gives people the product's words.
const CONSUMERS_VIEW = `
  CREATE OR REPLACE VIEW consumers AS SELECT
    id, CONVERT(context USING utf8mb4) AS context, CONVERT(name USING utf8mb4) AS name, acked_to AS acknowledged_to,
    generation, settings, FROM_UNIXTIME(moved_at / 1000000) AS moved_at, FROM_UNIXTIME(created_at / 1000000) AS created_at,
    CASE WHEN lease_until >= NOW(6) THEN CONVERT(owner_address USING utf8mb4) ELSE '' END AS run_by
  FROM consumer WHERE deleted_at IS NULL`;

export const consumersMigration = {
  name: '0002-consumers',
  async up(knex: Knex): Promise<void> {
    for (const statement of [CONSUMER, CONSUMER_TROUBLE, CONSUMERS_VIEW]) await knex.raw(statement);
  },
};
