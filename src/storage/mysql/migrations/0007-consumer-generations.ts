// Where a consumer's generation began: nothing up to there was delivered in it, whatever the offset says.

import type { Knex } from 'knex';
import { addColumns } from './missing.js';

export const consumerGenerationsMigration = {
  name: '0007-consumer-generations',
  async up(knex: Knex): Promise<void> {
    // NULL: a generation of before, of which it is not known.
    await addColumns(knex, 'consumer', { generation_offset: 'BIGINT UNSIGNED NULL' });
  },
};
