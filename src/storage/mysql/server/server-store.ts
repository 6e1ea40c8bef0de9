// What the database server is, by its variables, and which instances use it.

import type { DatabaseFacts, SeenInstance, ServerStore } from '../../ports/server-storage.js';
import type { Database } from '../sql/database.js';
import { judgeVariables, lossyFindings, readVariables } from '../sql/durability.js';
import { recognizeEngine } from '../sql/engine.js';

/** Twice as long as an instance may be silent. */
const SEEN_MINUTES = 2;
const MAX_INSTANCES = 100;

const micros = (column: string) => `CAST(UNIX_TIMESTAMP(${column}) * 1000000 AS UNSIGNED)`;
// One row a run of the last minutes: those of before go when an instance starts.
const SEEN = `SELECT id, address, ${micros('started_at')} AS startedAt, ${micros('seen_at')} AS seenAt FROM instance
  WHERE seen_at > SYSDATE(6) - INTERVAL ${SEEN_MINUTES} MINUTE ORDER BY seen_at DESC LIMIT ${MAX_INSTANCES}`;

interface SeenRow {
  readonly id: Buffer;
  readonly address: Buffer;
  readonly startedAt: number;
  readonly seenAt: number;
}

export class MysqlServerStore implements ServerStore {
  readonly #database: Database;

  constructor({ database }: { readonly database: Database }) {
    this.#database = database;
  }

  /** See ServerStore.facts. */
  async facts(): Promise<DatabaseFacts> {
    const variables = await readVariables((sql) => this.#database.query<object>(sql));
    const { name: engine, version, cluster } = recognizeEngine(variables);
    const lossySettings = lossyFindings(judgeVariables(variables)).map(({ name, value, advice = '' }) => {
      return { name, value, advice };
    });
    return { engine, version, cluster: cluster?.name ?? '', lossySettings };
  }

  /** See ServerStore.instances. */
  async instances(): Promise<readonly SeenInstance[]> {
    const rows = await this.#database.execute<SeenRow>(SEEN);
    return rows.map(({ id, address, ...times }) => ({ id: id.toString(), address: address.toString(), ...times }));
  }
}
