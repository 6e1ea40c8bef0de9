// What all migrations make together: the same from every beginning, and written down in schema.sql.

import { describe, expect, it } from 'vitest';
import { listDumps, restoreDump } from '../support/migrations/dumps.js';
import { migrateDatabase } from '../support/migrations/migrate.js';
import { newSchema, schemaText } from '../support/migrations/schema-text.js';

const SNAPSHOT = 'schema.sql';
const HINT = `the schema is not the one of test/migrations/${SNAPSHOT}; if a migration means it: make update-schema`;

describe('the schema', () => {
  it('of a new database is the one that is written down', async () => {
    await expect(await newSchema(), HINT).toMatchFileSnapshot(SNAPSHOT);
  });

  it.each(listDumps())('of $name becomes that of a new database', async (dump) => {
    const database = await restoreDump(dump);
    try {
      await migrateDatabase(database.url);
      expect(await schemaText(database.adminUrl)).toBe(await newSchema());
    } finally {
      await database.drop();
    }
  });
});
