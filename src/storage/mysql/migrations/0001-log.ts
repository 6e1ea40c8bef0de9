// The log, its head, streams and names. Names are VARBINARY: utf8mb4_bin pads with spaces, so that "a" would equal "a ".
// Every statement may be repeated: DDL commits by itself, and a start that was killed in the middle runs it all again.
// Times are microseconds since 1970 in BIGINT: half the reading cost of DATETIME(6). The view `events` decodes all for people.

import type { Knex } from 'knex';

const LOG_HEAD = `
  CREATE TABLE IF NOT EXISTS log_head (
    id TINYINT UNSIGNED NOT NULL PRIMARY KEY,
    position BIGINT UNSIGNED NOT NULL,
    next_event_id BIGINT UNSIGNED NOT NULL,
    next_context_id INT UNSIGNED NOT NULL,
    next_topic_id INT UNSIGNED NOT NULL,
    next_stream_id BIGINT UNSIGNED NOT NULL,
    created_at BIGINT UNSIGNED NOT NULL,
    catalog_version BIGINT UNSIGNED NOT NULL,
    group_token BIGINT UNSIGNED NOT NULL,
    log_epoch BIGINT UNSIGNED NOT NULL
  ) ENGINE=InnoDB`;

const CONTEXT = `
  CREATE TABLE IF NOT EXISTS context (
    id INT UNSIGNED NOT NULL PRIMARY KEY,
    name VARBINARY(255) NOT NULL,
    UNIQUE KEY context_name (name)
  ) ENGINE=InnoDB`;

const TOPIC = `
  CREATE TABLE IF NOT EXISTS topic (
    id INT UNSIGNED NOT NULL PRIMARY KEY,
    context_id INT UNSIGNED NOT NULL,
    name VARBINARY(255) NOT NULL,
    UNIQUE KEY topic_name (context_id, name)
  ) ENGINE=InnoDB`;

const STREAM = `
  CREATE TABLE IF NOT EXISTS stream (
    id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
    context_id INT UNSIGNED NOT NULL,
    name VARBINARY(255) NOT NULL,
    owner VARBINARY(255) NOT NULL,
    epoch BIGINT UNSIGNED NOT NULL,
    last_sequence BIGINT UNSIGNED NOT NULL,
    first_position BIGINT UNSIGNED NOT NULL,
    last_position BIGINT UNSIGNED NOT NULL,
    first_event_at BIGINT UNSIGNED NOT NULL,
    last_event_at BIGINT UNSIGNED NOT NULL,
    UNIQUE KEY stream_name (context_id, name)
  ) ENGINE=InnoDB`;

const LOG = `
  CREATE TABLE IF NOT EXISTS log (
    position BIGINT UNSIGNED NOT NULL PRIMARY KEY,
    kind TINYINT UNSIGNED NOT NULL,
    event_id BIGINT UNSIGNED NOT NULL,
    context_id INT UNSIGNED NOT NULL,
    topic_id INT UNSIGNED NOT NULL,
    stream_id BIGINT UNSIGNED NULL,
    sequence BIGINT UNSIGNED NULL,
    message_id BINARY(16) NULL,
    digest VARBINARY(32) NULL,
    created_at BIGINT UNSIGNED NOT NULL,
    version INT UNSIGNED NOT NULL,
    subject TINYINT UNSIGNED NOT NULL,
    issuer VARBINARY(255) NOT NULL,
    session_id VARBINARY(64) NULL,
    correlation_id VARBINARY(64) NULL,
    recipient VARBINARY(255) NULL,
    reply_to VARBINARY(255) NULL,
    tag VARBINARY(255) NULL,
    entity_type VARBINARY(255) NULL,
    organization VARBINARY(255) NULL,
    unit VARBINARY(255) NULL,
    envelope MEDIUMTEXT CHARACTER SET utf8mb4 NULL,
    content_type VARBINARY(255) NULL,
    payload_bytes INT UNSIGNED NOT NULL,
    payload LONGBLOB NULL,
    UNIQUE KEY log_event (event_id, kind),
    UNIQUE KEY log_message (context_id, message_id),
    KEY log_topic (topic_id, position),
    KEY log_stream (stream_id, position)
  ) ENGINE=InnoDB`;

const INSTANCE = `
  CREATE TABLE IF NOT EXISTS instance (
    id VARBINARY(64) NOT NULL PRIMARY KEY,
    address VARBINARY(255) NOT NULL,
    seq BIGINT UNSIGNED NOT NULL,
    started_at DATETIME(6) NOT NULL,
    seen_at DATETIME(6) NOT NULL
  ) ENGINE=InnoDB`;

const text = (column: string, name = column) => `CONVERT(l.${column} USING utf8mb4) AS ${name}`;
const time = (column: string) => `FROM_UNIXTIME(l.${column} / 1000000)`;

export const EVENTS_VIEW = `
  CREATE OR REPLACE VIEW events AS SELECT
    l.position, l.event_id AS id,
    ELT(l.kind, 'OCCURRED', 'INVALIDATED', 'EXPIRED') AS status,
    CONVERT(c.name USING utf8mb4) AS context, CONVERT(t.name USING utf8mb4) AS topic, l.version,
    CONVERT(s.name USING utf8mb4) AS stream, l.sequence, ${text('issuer')},
    LOWER(CONCAT_WS('-', SUBSTR(HEX(l.message_id), 1, 8), SUBSTR(HEX(l.message_id), 9, 4), SUBSTR(HEX(l.message_id), 13, 4),
      SUBSTR(HEX(l.message_id), 17, 4), SUBSTR(HEX(l.message_id), 21))) AS message_id,
    ${time('created_at')} AS created_at,
    ELT(l.subject, 'CREATE', 'UPDATE', 'DELETE', 'CREATED', 'UPDATED', 'DELETED', 'ENABLE', 'ENABLED', 'DISABLE', 'DISABLED',
      'ERROR', 'SUCCESS', 'REPORT') AS subject,
    ${text('session_id')}, ${text('correlation_id')}, ${text('recipient', 'addressee')}, ${text('reply_to')}, ${text('tag')},
    ${text('entity_type')}, ${text('organization')}, ${text('unit')}, l.envelope, ${text('content_type')},
    CASE WHEN l.content_type IS NULL OR l.content_type LIKE '%json%' THEN CONVERT(l.payload USING utf8mb4) END AS json,
    l.payload
  FROM log l JOIN topic t ON t.id = l.topic_id JOIN context c ON c.id = l.context_id LEFT JOIN stream s ON s.id = l.stream_id`;

export const logMigration = {
  name: '0001-log',
  async up(knex: Knex): Promise<void> {
    for (const statement of [LOG_HEAD, CONTEXT, TOPIC, STREAM, LOG, INSTANCE, EVENTS_VIEW]) await knex.raw(statement);
    await knex.raw(
      `INSERT IGNORE INTO log_head (id, position, next_event_id, next_context_id, next_topic_id, next_stream_id, created_at,
         catalog_version, group_token, log_epoch)
       VALUES (1, 0, 1, 1, 1, 1, 0, 1, 0, FLOOR(UNIX_TIMESTAMP(SYSDATE(6)) * 1000))`,
    );
  },
};
