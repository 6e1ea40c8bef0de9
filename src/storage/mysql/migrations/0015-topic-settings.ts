// What topics are registered with besides their description paths: JSON by the names of the settings, without what is unset. And how far
// the identities of a topic are built that got other description paths.
//
// An instance of before goes on beside: it registers topics without the new column, and obeys the paths of the old one, which are the ones
// in force until the identities by others are built. It writes no identities by those others: description paths are to be changed once no
// such instance runs any more.

import type { Knex } from 'knex';
import { addColumns } from './missing.js';

/** The last build of a topic: what it builds by, what it has looked at, and what it found. */
const IDENTITY_BUILD = `
  CREATE TABLE IF NOT EXISTS identity_build (
    topic_id INT UNSIGNED NOT NULL PRIMARY KEY,
    build_id BIGINT UNSIGNED NOT NULL,
    description_paths MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL,
    watched_after BIGINT UNSIGNED NOT NULL,
    built_to BIGINT UNSIGNED NOT NULL,
    identified BIGINT UNSIGNED NOT NULL,
    unidentified BIGINT UNSIGNED NOT NULL,
    repeated BIGINT UNSIGNED NOT NULL,
    repeated_ids MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL,
    started_at BIGINT UNSIGNED NOT NULL,
    ended_at BIGINT UNSIGNED NULL
  ) ENGINE=InnoDB`;

const TOPICS_VIEW = `
  CREATE OR REPLACE VIEW topics AS SELECT
    CONVERT(c.name USING utf8mb4) AS context, CONVERT(t.name USING utf8mb4) AS topic,
    FROM_UNIXTIME(r.registered_at / 1000000) AS registered_at, r.description_paths, r.settings
  FROM topic t JOIN context c ON c.id = t.context_id LEFT JOIN registered_topic r ON r.topic_id = t.id`;

export const topicSettingsMigration = {
  name: '0015-topic-settings',
  async up(knex: Knex): Promise<void> {
    await addColumns(knex, 'registered_topic', { settings: 'MEDIUMTEXT CHARACTER SET utf8mb4 NULL' });
    for (const statement of [IDENTITY_BUILD, TOPICS_VIEW]) await knex.raw(statement);
  },
};
