// Whether a consumer is paused: since when, by whom and why. NULL: it is not.

import type { Knex } from 'knex';
import { addColumns } from './missing.js';

const COLUMNS = {
  // Microseconds.
  paused_at: 'BIGINT UNSIGNED NULL',
  paused_by: "VARCHAR(255) CHARACTER SET utf8mb4 NOT NULL DEFAULT ''",
  pause_reason: "VARCHAR(1024) CHARACTER SET utf8mb4 NOT NULL DEFAULT ''",
} as const;

// People see it beside what they saw before.
const CONSUMERS_VIEW = `
  CREATE OR REPLACE VIEW consumers AS SELECT
    id, CONVERT(context USING utf8mb4) AS context, CONVERT(name USING utf8mb4) AS name, acked_to AS acknowledged_to,
    generation, settings, FROM_UNIXTIME(moved_at / 1000000) AS moved_at, FROM_UNIXTIME(created_at / 1000000) AS created_at,
    CASE WHEN lease_until >= NOW(6) THEN CONVERT(owner_address USING utf8mb4) ELSE '' END AS run_by,
    FROM_UNIXTIME(paused_at / 1000000) AS paused_at, paused_by, pause_reason
  FROM consumer WHERE deleted_at IS NULL`;

export const consumerPausesMigration = {
  name: '0011-consumer-pauses',
  async up(knex: Knex): Promise<void> {
    await addColumns(knex, 'consumer', COLUMNS);
    await knex.raw(CONSUMERS_VIEW);
  },
};
