// Today's server on what an earlier one wrote, for all tests of a suite.

import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll } from 'vitest';
import { startServer, type TestServer } from '../server/server.js';
import { ContractClient, loadContract } from './contract.js';
import { type Dump, restoreDump } from './dumps.js';
import { SECRET_KEY } from './old-waits.js';

export interface Upgraded {
  readonly client: ContractClient;
  /** Greatest position that the earlier server gave. */
  readonly head: bigint;
}

/** Its members are there inside the tests. */
export function useUpgraded(dump: Dump): Upgraded {
  const suite: { client?: ContractClient; head?: bigint } = {};
  const ends: (() => Promise<unknown> | undefined)[] = [];
  beforeAll(async () => {
    const database = await restoreDump(dump);
    ends.push(() => database.drop());
    if (dump.version >= 3) await makeLedgerFresh(database.adminUrl);
    const server: TestServer = await startServer({
      databaseUrl: database.url,
      secretKey: SECRET_KEY,
      callbackAllow: '127.0.0.1',
    });
    ends.push(() => server.stop());
    suite.client = new ContractClient(server.address, await loadContract());
    const { consumer } = await suite.client.consumers.getConsumer({ name: 'finished' });
    suite.head = consumer?.head ?? 0n;
  });
  afterAll(async () => {
    suite.client?.close();
    for (const end of ends.reverse()) await end();
  });
  return suite as Upgraded;
}

/** As if the upgrade came on the day of the pushes: ids of pushes without an entry are kept for a day. */
async function makeLedgerFresh(url: string): Promise<void> {
  const connection = await createConnection(url);
  const now = 'CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS UNSIGNED)';
  try {
    await connection.query(`UPDATE push_ledger SET created_at = ${now}`);
    await connection.query(`UPDATE log_head SET ledgered_at = ${now}`);
  } finally {
    await connection.end();
  }
}
