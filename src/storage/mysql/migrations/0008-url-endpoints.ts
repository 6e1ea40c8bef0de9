// Endpoints of URLs beside those of hosts: a URL whose answers fail is held by itself. `probed` says which URL of a host was probed
// last, so that the next probe goes to another one.

import type { Knex } from 'knex';

const HAS_HOST = `
  SELECT 1 FROM information_schema.columns
  WHERE table_schema = DATABASE() AND table_name = 'endpoint' AND column_name = 'host_id' LIMIT 1`;

export const urlEndpointsMigration = {
  name: '0008-url-endpoints',
  async up(knex: Knex): Promise<void> {
    // MySQL 8 has no ADD COLUMN IF NOT EXISTS.
    const [found] = await knex.raw(HAS_HOST);
    if (found.length > 0) return;
    await knex.raw(`ALTER TABLE endpoint ADD COLUMN host_id BIGINT UNSIGNED NULL,
      ADD COLUMN probed VARBINARY(16) NOT NULL DEFAULT '', ADD KEY endpoint_host (host_id, state)`);
  },
};
