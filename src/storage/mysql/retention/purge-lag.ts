// How many deleted versions the database has still to clear away.

import type { Database } from '../sql/database.js';

interface StatusRow {
  readonly Value: string;
}

/** MariaDB tells it to everyone; MySQL to those who may see the processes of others. Undefined: it is not told. */
export async function readPurgeLag(database: Database): Promise<number | undefined> {
  const [status] = await database.query<StatusRow>("SHOW GLOBAL STATUS LIKE 'Innodb_history_list_length'");
  if (status !== undefined) return Number(status.Value);
  try {
    const [metric] = await database.query<{ count: number }>(
      "SELECT `count` FROM information_schema.innodb_metrics WHERE name = 'trx_rseg_history_len' AND status = 'enabled'",
    );
    return metric && Number(metric.count);
  } catch {
    return undefined;
  }
}
