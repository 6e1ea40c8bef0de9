// What topics are registered with. Topics that are only used have no row here. The view shows both.

import type { Knex } from 'knex';

const REGISTERED_TOPIC = `
  CREATE TABLE IF NOT EXISTS registered_topic (
    topic_id INT UNSIGNED NOT NULL PRIMARY KEY,
    registered_at BIGINT UNSIGNED NOT NULL,
    description_paths MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL
  ) ENGINE=InnoDB`;

const TOPICS_VIEW = `
  CREATE OR REPLACE VIEW topics AS SELECT
    CONVERT(c.name USING utf8mb4) AS context, CONVERT(t.name USING utf8mb4) AS topic,
    FROM_UNIXTIME(r.registered_at / 1000000) AS registered_at, r.description_paths
  FROM topic t JOIN context c ON c.id = t.context_id LEFT JOIN registered_topic r ON r.topic_id = t.id`;

export const topicsMigration = {
  name: '0005-topics',
  async up(knex: Knex): Promise<void> {
    for (const statement of [REGISTERED_TOPIC, TOPICS_VIEW]) await knex.raw(statement);
  },
};
