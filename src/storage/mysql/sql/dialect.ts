// What MariaDB and MySQL (and TiDB, which speaks MySQL's SQL) say differently. Everything else is written in the SQL that they share:
// no RETURNING, no row alias in upserts, no ADD COLUMN IF NOT EXISTS, no MD5() or SHA1(), which MySQL 9.6 took away.

import { createHash } from 'node:crypto';

/**
 * What each session is told, whatever the server tells those that say nothing: UTF-8, UTC, READ COMMITTED, strict values, each
 * statement for itself and to its end. A lock is waited for 3 s.
 */
export const SESSION_SETTINGS =
  "SET NAMES utf8mb4 COLLATE utf8mb4_unicode_ci, SESSION time_zone = '+00:00', SESSION innodb_lock_wait_timeout = 3, " +
  "SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO', " +
  "SESSION autocommit = 1, SESSION completion_type = 'NO_CHAIN', SESSION sql_safe_updates = 0, " +
  'SESSION sql_select_limit = 18446744073709551615, ' +
  // One statement for both: the variables have other names in MariaDB 10.11 (first comment) than in MySQL 8 (second).
  "/*M!100000 SESSION tx_isolation = 'READ-COMMITTED', SESSION tx_read_only = 0, SESSION max_statement_time = 0 */" +
  "/*!80000 SESSION transaction_isolation = 'READ-COMMITTED', SESSION transaction_read_only = 0, SESSION max_execution_time = 0 */";

/**
 * What sessions are told whose transactions hold rows: who falls silent for 3 s is cut off and rolled back, between statements,
 * within one, or within its answer, so that a frozen instance holds nothing for longer. MariaDB's own settings for silent transactions
 * would come before `wait_timeout`: they are taken away, whatever the server's are. Idle connections have to say something each second.
 */
export const ROW_HOLDER_SETTINGS = `${SESSION_SETTINGS},
  SESSION wait_timeout = 3, SESSION net_read_timeout = 3, SESSION net_write_timeout = 3
  /*M!100000 , SESSION idle_transaction_timeout = 0, SESSION idle_write_transaction_timeout = 0, SESSION idle_readonly_transaction_timeout = 0 */`;

/**
 * What ORDER BY of a correlated subquery begins with: the first columns of an index, which the condition fixes. MySQL goes along the
 * index only if they are named too, and reads and sorts all rows of a value otherwise; MariaDB does the same where they are.
 */
export function fixedInSubquery(columns: string): string {
  return `/*!80000 ${columns}, */`;
}

/**
 * One more column, which the index has not: MySQL may walk the whole of an index that has all that is asked for, though it could go to
 * the values that it was given. It reads what is returned twice then, and nothing else.
 */
export function uncovered(column: string): string {
  return `/*!80000 , ${column} */`;
}

/**
 * Name of the lock of whoever migrates a database, which the server keeps for all its databases and no longer than 64 characters.
 * Programs before this one asked MariaDB for the digest: made here it is the same on every engine, and excludes them too.
 */
export function migrationLock(database: string): string {
  return `madeleine.migrate.${createHash('md5').update(database).digest('hex')}`;
}
