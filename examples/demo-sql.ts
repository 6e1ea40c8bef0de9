// The count of the demo in SQL, and running it where the database is an embedded one that the demo's server started.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { EmbeddedDirectory } from '../src/storage/embedded/embedded-directory.js';

/** Counts the events of a context by topic. The view `events` shows the log with its names decoded. */
export function countSql(context: string): string {
  const quoted = `'${context.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
  return `SELECT topic, COUNT(*) AS stored FROM events WHERE context = ${quoted} GROUP BY topic ORDER BY topic`;
}

/** Stored events by topic; undefined where there is no client program to ask with. */
export async function runCountSql(context: string, dataDir: string): Promise<ReadonlyMap<string, number> | undefined> {
  const { socket } = await EmbeddedDirectory.open(dataDir);
  const client = ['--no-defaults', `--socket=${socket}`, '--batch', '--skip-column-names', 'madeleine'];
  try {
    const { stdout } = await promisify(execFile)('mariadb', [...client, '--execute', countSql(context)]);
    const rows = stdout
      .trim()
      .split('\n')
      .map((line) => line.split('\t'));
    return new Map(rows.map(([topic = '', stored]) => [topic, Number(stored)]));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
