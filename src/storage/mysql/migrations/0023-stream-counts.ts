// What is stored of a topic in each stream, for topics that keep only so much of it; and up to where it is counted.
//
// A server of before deletes without counting. Whoever deletes after it begins to count anew: it finds that `counted_epoch` is not that of
// the deletion before its own.

import type { Knex } from 'knex';
import { addColumns } from './missing.js';

/**
 * Events of the topic in the stream that are stored up to `counted_to` of the topic, without those in retention_kept, and the bytes of
 * their payloads. Of the topic in the stream everything up to `gone_to` is gone, or in retention_kept.
 */
const STREAM_COUNT = `
  CREATE TABLE IF NOT EXISTS retention_stream (
    topic_id INT UNSIGNED NOT NULL,
    stream_id BIGINT UNSIGNED NOT NULL,
    events BIGINT UNSIGNED NOT NULL,
    bytes BIGINT UNSIGNED NOT NULL,
    gone_to BIGINT UNSIGNED NOT NULL,
    PRIMARY KEY (topic_id, stream_id)
  ) ENGINE=InnoDB`;

export const streamCountsMigration = {
  name: '0023-stream-counts',
  async up(knex: Knex): Promise<void> {
    await knex.raw(STREAM_COUNT);
    // 0: nothing is counted.
    await addColumns(knex, 'retention_topic', { counted_to: 'BIGINT UNSIGNED NOT NULL DEFAULT 0' });
    await addColumns(knex, 'retention_cursor', { counted_epoch: 'BIGINT UNSIGNED NOT NULL DEFAULT 0' });
  },
};
