// Up to where streams are truncated, and the truncations whose events are still to be deleted. A server of before deletes nothing, and
// leaves the new column alone.

import type { Knex } from 'knex';
import { addColumns } from './missing.js';

// One row for each stream of which events are still to be deleted.
const STREAM_TRUNCATION = `
  CREATE TABLE IF NOT EXISTS stream_truncation (
    stream_id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
    up_to_sequence BIGINT UNSIGNED NOT NULL
  ) ENGINE=InnoDB`;

export const truncationsMigration = {
  name: '0021-truncations',
  async up(knex: Knex): Promise<void> {
    await knex.raw(STREAM_TRUNCATION);
    // 0: it never was.
    await addColumns(knex, 'stream', { truncated_to: 'BIGINT UNSIGNED NOT NULL DEFAULT 0' });
  },
};
