// Vitest's global set-up of the tiers that need a database: one private server a run, whichever tiers run, and a directory for
// their temporary files that has to be empty in the end.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { waitUntil } from '../wait-until.js';
import { PrivateDatabase } from './private-database.js';

declare module 'vitest' {
  export interface ProvidedContext {
    /** URL of the run's database server for a user with every right. */
    databaseAdminUrl: string;
  }
}

interface Shared {
  /** The directory for temporary files of everything in this run. */
  scratch: string;
  server: PrivateDatabase;
  started: Promise<void>;
  users: number;
}

// Every project loads this file anew, so what they share cannot be a variable of the module.
const KEY = Symbol.for('madeleine.test.database');
const registry = globalThis as { [KEY]?: Shared };

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  registry[KEY] ??= launch();
  const shared = registry[KEY];
  shared.users++;
  await shared.started;
  project.provide('databaseAdminUrl', shared.server.adminUrl);
  return () => release(shared);
}

function launch(): Shared {
  const scratch = mkdtempSync(join(tmpdir(), 'madeleine-run-'));
  // Before the workers are started, which inherit it.
  process.env['TMPDIR'] = scratch;
  const server = new PrivateDatabase();
  return { scratch, server, started: server.start(), users: 0 };
}

async function release(shared: Shared): Promise<void> {
  if (--shared.users > 0) return;
  delete registry[KEY];
  await shared.server.stop();
  await expectNothingLeft(shared.scratch);
}

/** Fails the run when a test leaves files of ours behind, once those who were killed are tidied up after. */
async function expectNothingLeft(scratch: string): Promise<void> {
  const left = () => readdirSync(scratch).filter((name) => name.startsWith('madeleine-'));
  const gone = waitUntil(() => left().length === 0, { what: 'temporary files are gone', timeoutMs: 3_000 });
  await gone.catch(() => {
    process.exitCode = 1;
    throw new Error(`tests left behind in ${scratch}: ${left().join(', ')}`);
  });
  rmSync(scratch, { recursive: true });
}
