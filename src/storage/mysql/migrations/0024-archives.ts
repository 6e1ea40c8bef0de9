// Archives of what retention has taken: where they lie, what is in them and whom that is about; and topics whose deletion is held, as their
// archive cannot be written.
//
// An instance of before goes on beside. It does not know that a topic is archived, and deletes of it without: topics are to be given
// the setting once no such instance runs any more.

import type { Knex } from 'knex';

/**
 * `name`: that of its files, without an ending. `file_bytes`: the length of its file that counts, which the deletion of each batch writes;
 * 0: nothing counts yet. Times are microseconds; `sealed_at` NULL: it is not sealed.
 */
const ARCHIVE = `
  CREATE TABLE IF NOT EXISTS archive (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    topic_id INT UNSIGNED NOT NULL,
    name VARBINARY(255) NOT NULL,
    instance VARBINARY(64) NOT NULL,
    opened_at BIGINT UNSIGNED NOT NULL,
    first_position BIGINT UNSIGNED NOT NULL,
    last_position BIGINT UNSIGNED NOT NULL,
    entries BIGINT UNSIGNED NOT NULL,
    payload_bytes BIGINT UNSIGNED NOT NULL,
    first_at BIGINT UNSIGNED NOT NULL,
    last_at BIGINT UNSIGNED NOT NULL,
    file_bytes BIGINT UNSIGNED NOT NULL,
    sealed_at BIGINT UNSIGNED NULL,
    sha256 BINARY(32) NULL,
    digest BINARY(32) NULL,
    UNIQUE KEY archive_name (name),
    KEY archive_topic (topic_id, id),
    KEY archive_unsealed (sealed_at, instance)
  ) ENGINE=InnoDB`;

/** Whom an archive is about: one row for each, however many of its entries are. Rows of an archive that is no more mean nothing. */
const SUBJECT = `
  CREATE TABLE IF NOT EXISTS archive_subject (
    subject_key BINARY(16) NOT NULL,
    context_id INT UNSIGNED NOT NULL,
    archive_id BIGINT UNSIGNED NOT NULL,
    PRIMARY KEY (subject_key, context_id, archive_id)
  ) ENGINE=InnoDB`;

const STREAM = `
  CREATE TABLE IF NOT EXISTS archive_stream (
    stream_id BIGINT UNSIGNED NOT NULL,
    archive_id BIGINT UNSIGNED NOT NULL,
    PRIMARY KEY (stream_id, archive_id)
  ) ENGINE=InnoDB`;

const HOLD = `
  CREATE TABLE IF NOT EXISTS archive_hold (
    topic_id INT UNSIGNED NOT NULL PRIMARY KEY,
    held_since BIGINT UNSIGNED NOT NULL,
    problem VARBINARY(255) NOT NULL,
    instance VARBINARY(255) NOT NULL
  ) ENGINE=InnoDB`;

export const archivesMigration = {
  name: '0024-archives',
  async up(knex: Knex): Promise<void> {
    for (const statement of [ARCHIVE, SUBJECT, STREAM, HOLD]) await knex.raw(statement);
  },
};
