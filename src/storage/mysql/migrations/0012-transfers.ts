// From whom a stream came, and the entry of the log that says so: kind 4, TRANSFERRED. The view `events` names that kind.
//
// An instance of before goes on beside: it takes the owner as it is stored, does not touch the new columns, and hands an entry of the
// kind 4 to nobody who did not ask for every kind that it knows: such readers and consumers, and GetEvent of that entry, it answers
// INTERNAL. As such an entry comes only by TransferStream, which that instance does not have, `min_app_version` stays.

import type { Knex } from 'knex';
import { EVENTS_VIEW } from './0001-log.js';
import { addColumns } from './missing.js';

const COLUMNS = {
  // Empty: it was never handed over.
  former_owner: "VARBINARY(255) NOT NULL DEFAULT ''",
  // 0: it never was.
  transfer_position: 'BIGINT UNSIGNED NOT NULL DEFAULT 0',
} as const;

export const transfersMigration = {
  name: '0012-transfers',
  async up(knex: Knex): Promise<void> {
    await addColumns(knex, 'stream', COLUMNS);
    await knex.raw(EVENTS_VIEW.replace("'EXPIRED')", "'EXPIRED', 'TRANSFERRED')"));
  },
};
