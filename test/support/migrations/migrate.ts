// `madeleine migrate` inside of a test.

import { pino } from 'pino';
import { migrateSchema } from '../../../src/app/migrate-and-doctor.js';
import type { MigrationReport } from '../../../src/cli/deps.js';
import { readConfig } from '../../../src/config.js';

export function migrateDatabase(databaseUrl: string): Promise<MigrationReport> {
  const config = readConfig({ databaseUrl }, {});
  return migrateSchema({ config, logger: pino({ level: 'silent' }), nowMs: Date.now });
}
