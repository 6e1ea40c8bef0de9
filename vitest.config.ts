// One vitest project a tier. Tiers that need a database share one private server a run (test/support/database/global-database.ts),
// of the engine that MADELEINE_TEST_ENGINE names.

import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';
import { testEngineName } from './test/support/database/engines.js';

interface Tier {
  readonly name: string;
  /** Whether its tests may ask for a database. */
  readonly database: boolean;
  /** Longest time of one test and of one hook, in milliseconds. */
  readonly timeoutMs: number;
  /** Alone: its files run one after the other and beside no other tier, as their timing matters. */
  readonly alone?: boolean;
}

const TIERS: readonly Tier[] = [
  { name: 'unit', database: false, timeoutMs: 20_000 },
  { name: 'property', database: false, timeoutMs: 60_000 },
  { name: 'storage', database: true, timeoutMs: 60_000 },
  { name: 'integration', database: true, timeoutMs: 60_000 },
  { name: 'migrations', database: true, timeoutMs: 60_000 },
  { name: 'docs', database: true, timeoutMs: 120_000, alone: true },
  { name: 'cluster', database: true, timeoutMs: 120_000, alone: true },
  { name: 'fault', database: true, timeoutMs: 120_000, alone: true },
  { name: 'stubs', database: true, timeoutMs: 300_000, alone: true },
  { name: 'schema-suite', database: false, timeoutMs: 60_000, alone: true },
  // Starts a server of its own, for a million rows.
  { name: 'plans', database: false, timeoutMs: 60_000, alone: true },
];

/** These are about the MariaDB server that a madeleine starts by itself, and the same whatever else the tests run on. */
const EMBEDDED = ['test/storage/embedded-*.test.ts'];

function project(tier: Tier, index: number): TestProjectInlineConfiguration {
  return {
    test: {
      name: tier.name,
      environment: 'node',
      include: [`test/${tier.name}/**/*.test.ts`],
      exclude: ['dist/**', 'node_modules/**', ...(testEngineName() === 'mariadb' ? [] : EMBEDDED)],
      testTimeout: tier.timeoutMs,
      hookTimeout: tier.timeoutMs,
      globalSetup: tier.database ? ['test/support/database/global-database.ts'] : [],
      pool: 'forks',
      maxWorkers: tier.alone ? 1 : 2,
      sequence: { groupOrder: tier.alone ? index + 1 : 0 },
    },
  };
}

export default defineConfig({
  test: {
    projects: TIERS.map(project),
    maxWorkers: 2,
    allowOnly: false,
  },
});
