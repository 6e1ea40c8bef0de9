// What members say about events that they cannot take: a short code beside the reason, since when an event is parked, and the delivery that
// counted last. What used up its attempts is parked from here on, so attempts and losses of before, which were without that
// effect, begin anew.

import type { Knex } from 'knex';

const HAS_STATE_KEY = `
  SELECT 1 FROM information_schema.statistics
  WHERE table_schema = DATABASE() AND table_name = 'consumer_trouble' AND index_name = 'consumer_trouble_state' LIMIT 1`;

const COLUMNS = {
  code: "VARCHAR(64) CHARACTER SET utf8mb4 NOT NULL DEFAULT ''",
  // Microseconds; 0: never.
  parked_at: 'BIGINT UNSIGNED NOT NULL DEFAULT 0',
  // 0: none, or not known.
  failed_lease: 'BIGINT UNSIGNED NOT NULL DEFAULT 0',
} as const;

export const verdictsMigration = {
  name: '0010-verdicts',
  async up(knex: Knex): Promise<void> {
    // States as FAILURE_STATES has them: 1 is RETRY. Before anything else, as only the end of a migration is written down.
    await knex.raw('UPDATE consumer_trouble SET attempts = 0, losses = 0 WHERE state = 1');
    for (const [column, definition] of Object.entries(COLUMNS)) {
      // MySQL 8 has no ADD COLUMN IF NOT EXISTS, and no ADD KEY IF NOT EXISTS.
      if (!(await knex.schema.hasColumn('consumer_trouble', column))) {
        await knex.raw(`ALTER TABLE consumer_trouble ADD COLUMN ${column} ${definition}`);
      }
    }
    const [found] = await knex.raw(HAS_STATE_KEY);
    if (found.length === 0)
      await knex.raw('ALTER TABLE consumer_trouble ADD KEY consumer_trouble_state (consumer_id, state)');
  },
};
