// Who moved a consumer's offset, and the places that it can be brought back to.

import type { Knex } from 'knex';

// Kinds as MOVE_KINDS has them. Times in microseconds. former_offset NULL: there was none.
const OFFSET_MOVE = `
  CREATE TABLE IF NOT EXISTS offset_move (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    consumer_id BIGINT UNSIGNED NOT NULL,
    kind TINYINT UNSIGNED NOT NULL,
    moved_at BIGINT UNSIGNED NOT NULL,
    moved_by VARCHAR(255) CHARACTER SET utf8mb4 NOT NULL,
    reason VARCHAR(1024) CHARACTER SET utf8mb4 NOT NULL,
    snapshot VARBINARY(255) NOT NULL,
    former_offset BIGINT UNSIGNED NULL,
    acked_to BIGINT UNSIGNED NOT NULL,
    generation BIGINT UNSIGNED NOT NULL,
    KEY offset_move_consumer (consumer_id, id),
    KEY offset_move_age (moved_at)
  ) ENGINE=InnoDB`;

// acked_last: the last position of acked_above, which may be large.
const CONSUMER_SNAPSHOT = `
  CREATE TABLE IF NOT EXISTS consumer_snapshot (
    consumer_id BIGINT UNSIGNED NOT NULL,
    name VARBINARY(255) NOT NULL,
    acked_to BIGINT UNSIGNED NOT NULL,
    acked_last BIGINT UNSIGNED NOT NULL,
    acked_above MEDIUMBLOB NOT NULL,
    settings MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL,
    generation BIGINT UNSIGNED NOT NULL,
    saved_at BIGINT UNSIGNED NOT NULL,
    saved_by VARCHAR(255) CHARACTER SET utf8mb4 NOT NULL,
    PRIMARY KEY (consumer_id, name)
  ) ENGINE=InnoDB`;

export const consumerPlacesMigration = {
  name: '0014-consumer-places',
  async up(knex: Knex): Promise<void> {
    for (const statement of [OFFSET_MOVE, CONSUMER_SNAPSHOT]) await knex.raw(statement);
  },
};
