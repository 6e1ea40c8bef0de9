// Vitest's global set-up of the tiers that need a database: one private server a run, whichever tiers run.

import type { TestProject } from 'vitest/node';
import { PrivateMariadb } from './private-mariadb.js';

declare module 'vitest' {
  export interface ProvidedContext {
    /** URL of the run's database server for a user with every right. */
    databaseAdminUrl: string;
  }
}

interface Shared {
  server: PrivateMariadb;
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
  const server = new PrivateMariadb();
  return { server, started: server.start(), users: 0 };
}

async function release(shared: Shared): Promise<void> {
  if (--shared.users > 0) return;
  delete registry[KEY];
  await shared.server.stop();
}
