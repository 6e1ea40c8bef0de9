// The hold on the deletion, as each of its transactions renews it first: a row, so that they come one after another.

import { RETENTION_LEASE_MS, type RetentionHold } from '../../ports/retention-storage.js';
import type { Queries } from '../sql/database.js';
import { NOW_MICROS } from '../sql/database-time.js';

export const LEASE_END = `${NOW_MICROS} + ${RETENTION_LEASE_MS * 1000}`;
export const HELD = 'id = 1 AND owner = ? AND owner_epoch = ?';
const RENEW = `UPDATE retention_cursor SET lease_until = ${LEASE_END} WHERE ${HELD}`;

/** Renews the hold; false: it is lost. */
export async function renewed(queries: Pick<Queries, 'write'>, hold: RetentionHold): Promise<boolean> {
  return (await queries.write(RENEW, heldValues(hold))).affectedRows === 1;
}

export function heldValues({ owner, epoch }: RetentionHold): [Buffer, number] {
  return [Buffer.from(owner), epoch];
}
