// Counters of events: by topic, stream and UTC day, by stream and month, since the beginning, and how many there were at places of the
// log. Days are those since 1970-01-01, months those since 1970-01. The log is counted from its beginning.

import type { Knex } from 'knex';

/** How far the log is counted, and who counts. */
const COUNT_CURSOR = `
  CREATE TABLE IF NOT EXISTS count_cursor (
    id TINYINT UNSIGNED NOT NULL PRIMARY KEY,
    position BIGINT UNSIGNED NOT NULL,
    counted_at BIGINT UNSIGNED NOT NULL,
    owner VARBINARY(64) NOT NULL,
    owner_epoch BIGINT UNSIGNED NOT NULL,
    lease_until BIGINT UNSIGNED NOT NULL
  ) ENGINE=InnoDB`;

const COUNT_TOPIC_DAY = `
  CREATE TABLE IF NOT EXISTS count_topic_day (
    utc_day INT UNSIGNED NOT NULL,
    topic_id INT UNSIGNED NOT NULL,
    context_id INT UNSIGNED NOT NULL,
    reserved TINYINT UNSIGNED NOT NULL,
    events BIGINT UNSIGNED NOT NULL,
    bytes BIGINT UNSIGNED NOT NULL,
    PRIMARY KEY (utc_day, topic_id)
  ) ENGINE=InnoDB`;

const COUNT_STREAM_DAY = `
  CREATE TABLE IF NOT EXISTS count_stream_day (
    utc_day INT UNSIGNED NOT NULL,
    stream_id BIGINT UNSIGNED NOT NULL,
    topic_id INT UNSIGNED NOT NULL,
    context_id INT UNSIGNED NOT NULL,
    events BIGINT UNSIGNED NOT NULL,
    bytes BIGINT UNSIGNED NOT NULL,
    PRIMARY KEY (utc_day, stream_id, topic_id)
  ) ENGINE=InnoDB`;

// The streams of a month with the most events are read from its index, however many streams there are.
const COUNT_STREAM_MONTH = `
  CREATE TABLE IF NOT EXISTS count_stream_month (
    utc_month INT UNSIGNED NOT NULL,
    stream_id BIGINT UNSIGNED NOT NULL,
    context_id INT UNSIGNED NOT NULL,
    events BIGINT UNSIGNED NOT NULL,
    bytes BIGINT UNSIGNED NOT NULL,
    PRIMARY KEY (utc_month, stream_id),
    KEY count_stream_month_top (context_id, utc_month, events)
  ) ENGINE=InnoDB`;

const COUNT_STREAM = `
  CREATE TABLE IF NOT EXISTS count_stream (
    stream_id BIGINT UNSIGNED NOT NULL,
    topic_id INT UNSIGNED NOT NULL,
    events BIGINT UNSIGNED NOT NULL,
    addressed BIGINT UNSIGNED NOT NULL,
    PRIMARY KEY (stream_id, topic_id)
  ) ENGINE=InnoDB`;

// A series is a topic or, with topic 0, all topics of a context but the server's own.
const COUNT_SERIES = `
  CREATE TABLE IF NOT EXISTS count_series (
    topic_id INT UNSIGNED NOT NULL,
    context_id INT UNSIGNED NOT NULL,
    events BIGINT UNSIGNED NOT NULL,
    addressed BIGINT UNSIGNED NOT NULL,
    marked BIGINT UNSIGNED NOT NULL,
    PRIMARY KEY (topic_id, context_id)
  ) ENGINE=InnoDB`;

const COUNT_MARK = `
  CREATE TABLE IF NOT EXISTS count_mark (
    topic_id INT UNSIGNED NOT NULL,
    context_id INT UNSIGNED NOT NULL,
    position BIGINT UNSIGNED NOT NULL,
    events BIGINT UNSIGNED NOT NULL,
    PRIMARY KEY (topic_id, context_id, position)
  ) ENGINE=InnoDB`;

const TABLES = [
  COUNT_CURSOR,
  COUNT_TOPIC_DAY,
  COUNT_STREAM_DAY,
  COUNT_STREAM_MONTH,
  COUNT_STREAM,
  COUNT_SERIES,
  COUNT_MARK,
];

export const statisticsMigration = {
  name: '0013-statistics',
  async up(knex: Knex): Promise<void> {
    for (const statement of TABLES) await knex.raw(statement);
    await knex.raw(
      "INSERT IGNORE INTO count_cursor (id, position, counted_at, owner, owner_epoch, lease_until) VALUES (1, 0, 0, '', 0, 0)",
    );
  },
};
