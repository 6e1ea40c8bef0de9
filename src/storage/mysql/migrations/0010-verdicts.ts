// What members say about events that they cannot take: a short code beside the reason, since when an event is parked, and the delivery that
// counted last. What used up its attempts is parked from here on, so attempts and losses of before, which were without that
// effect, begin anew.

import type { Knex } from 'knex';
import { addColumns, addKey } from './missing.js';

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
    await addColumns(knex, 'consumer_trouble', COLUMNS);
    await addKey(knex, 'consumer_trouble', 'consumer_trouble_state', 'consumer_id, state');
  },
};
