// What gives shapes back: when each was last needed, how far back its index goes, what is awaited by it, and the ids of those that are
// gone but for their index rows.

import type { Knex } from 'knex';
import { addColumns, addKey } from './missing.js';

const FREED_SHAPE = `
  CREATE TABLE IF NOT EXISTS freed_shape (
    id INT UNSIGNED NOT NULL PRIMARY KEY
  ) ENGINE=InnoDB`;

/** NULL: not known, as of shapes that were indexed before. */
const COLUMNS = {
  needed_at: 'BIGINT UNSIGNED NOT NULL DEFAULT 0',
  indexed_from: 'BIGINT UNSIGNED NULL',
} as const;

export const shapeLivesMigration = {
  name: '0009-shape-lives',
  async up(knex: Knex): Promise<void> {
    await knex.raw(FREED_SHAPE);
    await addColumns(knex, 'shape', COLUMNS);
    // Nobody knows when they were used: their time begins now.
    await knex.raw(
      'UPDATE shape SET needed_at = CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS UNSIGNED) WHERE needed_at = 0',
    );
    await addKey(knex, 'wait', 'wait_shape', 'shape_id, state, expires_at');
  },
};
