// Settings of contexts, the last events that were discarded as nobody registered their topic, and the events of a topic by days.
//
// An instance of before goes on beside: it takes every event, whatever a context says. Contexts are to be given settings once no such
// instance runs any more.

import type { Knex } from 'knex';
import { addKey } from './missing.js';

/** JSON by the names of the settings, without what is unset. */
const CONTEXT_SETTING = `
  CREATE TABLE IF NOT EXISTS context_setting (
    context_id INT UNSIGNED NOT NULL PRIMARY KEY,
    settings MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL
  ) ENGINE=InnoDB`;

/** Names as they were pushed: what is discarded makes no row of its context or topic. `payload` is its beginning. */
const DISCARDED_SAMPLE = `
  CREATE TABLE IF NOT EXISTS discarded_sample (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    context VARBINARY(255) NOT NULL,
    topic VARBINARY(255) NOT NULL,
    issuer VARBINARY(255) NOT NULL,
    message_id BINARY(16) NULL,
    discarded_at BIGINT UNSIGNED NOT NULL,
    content_type VARBINARY(255) NULL,
    payload_bytes INT UNSIGNED NOT NULL,
    payload BLOB NULL,
    description MEDIUMTEXT CHARACTER SET utf8mb4 NULL,
    KEY discarded_sample_topic (context, topic, id)
  ) ENGINE=InnoDB`;

export const contextsMigration = {
  name: '0016-contexts',
  async up(knex: Knex): Promise<void> {
    for (const statement of [CONTEXT_SETTING, DISCARDED_SAMPLE]) await knex.raw(statement);
    await addKey(knex, 'count_topic_day', 'count_topic_day_topic', 'topic_id, utc_day, events, bytes');
  },
};
