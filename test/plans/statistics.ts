// The statistics by which an optimizer chooses, true ones and such as a database may have that has not looked at its tables lately.

import { type Connection, createConnection } from 'mysql2/promise';
import type { AgedLog } from './aged-log.js';

const TABLES = 'mysql.innodb_table_stats';
const INDEXES = 'mysql.innodb_index_stats';
const OF_VALUES = "stat_name LIKE 'n_diff%'";

/** As when so many rows were there: each of its own values, on one page. */
function whenThereWere(rows: number): readonly string[] {
  return [
    `UPDATE ${TABLES} SET n_rows = ${rows}, clustered_index_size = 1, sum_of_other_index_sizes = 4 WHERE database_name = ?`,
    `UPDATE ${INDEXES} SET stat_value = IF(${OF_VALUES}, ${rows}, 1) WHERE database_name = ?`,
  ];
}

/** What InnoDB believes of the tables of a database, by the words of a test's name. */
export const STATISTICS = {
  fresh: [],
  'as of no row': whenThereWere(0),
  'as of ten rows': whenThereWere(10),
  // It counts rows as they come, and looks at values when it is told to.
  'as of an empty table, with its rows counted since': whenThereWere(0).slice(1),
  'of values that are all different': [
    `UPDATE ${INDEXES} i JOIN ${TABLES} t ON t.database_name = i.database_name AND t.table_name = i.table_name
     SET i.stat_value = t.n_rows WHERE i.${OF_VALUES} AND i.database_name = ?`,
  ],
  'of values that are all equal': [`UPDATE ${INDEXES} SET stat_value = 1 WHERE ${OF_VALUES} AND database_name = ?`],
} as const satisfies Record<string, readonly string[]>;

export type StatisticsName = keyof typeof STATISTICS;

/** Whether there are many rows is not known either. */
export function isUncounted(name: StatisticsName): boolean {
  return name === 'as of no row' || name === 'as of ten rows';
}

/** Makes the database believe so. */
export async function setStatistics({ url }: AgedLog, name: StatisticsName): Promise<void> {
  const connection = await createConnection(url);
  try {
    await analyze(connection);
    const database = new URL(url).pathname.slice(1);
    for (const sql of STATISTICS[name]) await connection.query(sql, [database]);
    await connection.query('FLUSH TABLES');
  } finally {
    await connection.end();
  }
}

async function analyze(connection: Connection): Promise<void> {
  const [rows] = await connection.query(
    "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'",
  );
  const names = (rows as { name: string }[]).map(({ name }) => name);
  await connection.query(`ANALYZE TABLE ${names.join(', ')}`);
}
