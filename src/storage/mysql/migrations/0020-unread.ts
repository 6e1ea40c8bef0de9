// What consumers lost unread, as deletions take events of the log. A server of before deletes nothing; a place that it moves back
// is noticed within seconds (see UnreadEvents).

import type { Knex } from 'knex';
import { addColumns, addKey } from './missing.js';

// One row, locked by each deletion and by whoever moves a consumer's place; `moves` counts the latter. Nothing after `last_position` was
// ever deleted.
const LOG_DELETION = `
  CREATE TABLE IF NOT EXISTS log_deletion (
    id TINYINT UNSIGNED NOT NULL PRIMARY KEY,
    moves BIGINT UNSIGNED NOT NULL,
    last_position BIGINT UNSIGNED NOT NULL
  ) ENGINE=InnoDB`;

// Of each topic of which events were deleted that anybody might miss: the last of their positions.
const DELETED_TOPIC = `
  CREATE TABLE IF NOT EXISTS deleted_topic (
    topic_id INT UNSIGNED NOT NULL PRIMARY KEY,
    last_position BIGINT UNSIGNED NOT NULL,
    KEY deleted_topic_last (last_position)
  ) ENGINE=InnoDB`;

// Gaps that wait to be told. events 0: not counted, as they were deleted before the consumer came there.
// taken_epoch: the owner that is about to tell it; 0: nobody is.
const CONSUMER_GAP = `
  CREATE TABLE IF NOT EXISTS consumer_gap (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    consumer_id BIGINT UNSIGNED NOT NULL,
    first_position BIGINT UNSIGNED NOT NULL,
    last_position BIGINT UNSIGNED NOT NULL,
    events BIGINT UNSIGNED NOT NULL,
    taken_epoch BIGINT UNSIGNED NOT NULL,
    KEY consumer_gap_consumer (consumer_id, first_position)
  ) ENGINE=InnoDB`;

export const unreadMigration = {
  name: '0020-unread',
  async up(knex: Knex): Promise<void> {
    for (const statement of [LOG_DELETION, DELETED_TOPIC, CONSUMER_GAP]) await knex.raw(statement);
    await knex.raw('INSERT IGNORE INTO log_deletion (id, moves, last_position) VALUES (1, 0, 0)');
    await addColumns(knex, 'consumer', { expired_unread: 'BIGINT UNSIGNED NOT NULL DEFAULT 0' });
    await addKey(knex, 'consumer_trouble', 'consumer_trouble_position', 'position');
  },
};
