// Where a consumer's generation began: nothing up to there was delivered in it, whatever the offset says.

import type { Knex } from 'knex';

const HAS_COLUMN = `
  SELECT 1 FROM information_schema.columns
  WHERE table_schema = DATABASE() AND table_name = 'consumer' AND column_name = 'generation_offset' LIMIT 1`;

export const consumerGenerationsMigration = {
  name: '0007-consumer-generations',
  async up(knex: Knex): Promise<void> {
    // MySQL has no ADD COLUMN IF NOT EXISTS. NULL: a generation of before, of which it is not known.
    const [found] = await knex.raw(HAS_COLUMN);
    if (found.length === 0) await knex.raw('ALTER TABLE consumer ADD COLUMN generation_offset BIGINT UNSIGNED NULL');
  },
};
