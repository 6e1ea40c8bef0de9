// What gives shapes back: when each was last needed, how far back its index goes, what is awaited by it, and the ids of those that are
// gone but for their index rows.

import type { Knex } from 'knex';

const FREED_SHAPE = `
  CREATE TABLE IF NOT EXISTS freed_shape (
    id INT UNSIGNED NOT NULL PRIMARY KEY
  ) ENGINE=InnoDB`;

const HAS_WAIT_SHAPE = `
  SELECT 1 FROM information_schema.statistics
  WHERE table_schema = DATABASE() AND table_name = 'wait' AND index_name = 'wait_shape' LIMIT 1`;

/** NULL: not known, as of shapes that were indexed before. */
const COLUMNS = {
  needed_at: 'BIGINT UNSIGNED NOT NULL DEFAULT 0',
  indexed_from: 'BIGINT UNSIGNED NULL',
} as const;

export const shapeLivesMigration = {
  name: '0009-shape-lives',
  async up(knex: Knex): Promise<void> {
    await knex.raw(FREED_SHAPE);
    for (const [column, definition] of Object.entries(COLUMNS)) {
      // MySQL 8 has no ADD COLUMN IF NOT EXISTS, and no ADD KEY IF NOT EXISTS.
      if (!(await knex.schema.hasColumn('shape', column))) {
        await knex.raw(`ALTER TABLE shape ADD COLUMN ${column} ${definition}`);
      }
    }
    // Nobody knows when they were used: their time begins now.
    await knex.raw(
      'UPDATE shape SET needed_at = CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS UNSIGNED) WHERE needed_at = 0',
    );
    const [found] = await knex.raw(HAS_WAIT_SHAPE);
    if (found.length === 0) await knex.raw('ALTER TABLE wait ADD KEY wait_shape (shape_id, state, expires_at)');
  },
};
