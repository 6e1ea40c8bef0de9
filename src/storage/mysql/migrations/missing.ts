// Adds what a table lacks: a migration may be repeated after a crash in its middle, and MySQL 8 has no ADD COLUMN IF NOT EXISTS, and no
// ADD KEY IF NOT EXISTS.

import type { Knex } from 'knex';

/** Adds those of the columns, with their definitions, that the table does not have. */
export async function addColumns(knex: Knex, table: string, columns: Readonly<Record<string, string>>): Promise<void> {
  for (const [column, definition] of Object.entries(columns)) {
    if (await knex.schema.hasColumn(table, column)) continue;
    await knex.raw(`ALTER TABLE ${table} ADD COLUMN ${column} ${definition}`);
  }
}

/** Adds a key over columns, unless the table has one of the name. */
export async function addKey(knex: Knex, table: string, key: string, columns: string): Promise<void> {
  const [found] = await knex.raw(
    `SELECT 1 FROM information_schema.statistics
     WHERE table_schema = DATABASE() AND table_name = ? AND index_name = ? LIMIT 1`,
    [table, key],
  );
  if (found.length === 0) await knex.raw(`ALTER TABLE ${table} ADD KEY ${key} (${columns})`);
}
