// What databases of the first days lack: settings of consumers were kept in 64 KiB, and what is awaited had no index by event.
// Those columns and keys were added to the migrations above after servers had run them. That is not done any more: what has
// run somewhere stays as it is, and a change is a migration of its own.

import type { Knex } from 'knex';
import { addKey } from './missing.js';

export const lateAdditionsMigration = {
  name: '0006-late-additions',
  async up(knex: Knex): Promise<void> {
    await knex.raw('ALTER TABLE consumer MODIFY COLUMN settings MEDIUMTEXT CHARACTER SET utf8mb4 NOT NULL');
    await addKey(knex, 'wait', 'wait_open', 'state, event_id');
  },
};
