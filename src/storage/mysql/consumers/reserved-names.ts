// Consumers whose names are reserved since they were created: they go on, but the server may want the names for itself.

import { RESERVED_CONSUMERS } from '../../../domain/names.js';
import type { Queries } from '../sql/database.js';

/** Consumers that are named at most. */
const MOST = 10;

/** Says which consumers have names that would not be created any more; undefined: none. */
export async function reservedConsumers(database: Queries): Promise<string | undefined> {
  const rows = await database.query<{ context: Buffer; name: Buffer }>(
    `SELECT context, name FROM consumer WHERE deleted_at IS NULL AND LEFT(name, ?) = ? LIMIT ${MOST}`,
    [RESERVED_CONSUMERS.length, RESERVED_CONSUMERS],
  );
  if (rows.length === 0) return undefined;
  const names = rows.map(({ context, name }) => `${context}/${name}`);
  return `consumers with names that begin with "${RESERVED_CONSUMERS}": ${names.join(', ')}`;
}
