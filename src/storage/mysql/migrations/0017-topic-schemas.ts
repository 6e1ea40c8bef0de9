// The versions of topics' schemas. Rows are added only: events keep the number of the version that they met.
//
// An instance of before goes on beside, and checks nothing: schemas are to be given once no such instance runs any more.

import type { Knex } from 'knex';

const TOPIC_SCHEMA = `
  CREATE TABLE IF NOT EXISTS topic_schema (
    topic_id INT UNSIGNED NOT NULL,
    version INT UNSIGNED NOT NULL,
    created_at BIGINT UNSIGNED NOT NULL,
    digest BINARY(32) NOT NULL,
    schema_text MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL,
    PRIMARY KEY (topic_id, version)
  ) ENGINE=InnoDB`;

export const topicSchemasMigration = {
  name: '0017-topic-schemas',
  async up(knex: Knex): Promise<void> {
    await knex.raw(TOPIC_SCHEMA);
  },
};
