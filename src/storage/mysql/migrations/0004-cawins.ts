// Cawins: callbacks on events, their firings, the endpoints that they call, what was tried, and how far the log was looked at for
// them. Times are microseconds since 1970 in BIGINT, by the database's clock; NULL in `due_at` and `deadline` means never again.

import type { Knex } from 'knex';

const ENDPOINT = `
  CREATE TABLE IF NOT EXISTS endpoint (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    origin VARBINARY(512) NOT NULL,
    state TINYINT UNSIGNED NOT NULL,
    failures INT UNSIGNED NOT NULL,
    ready_at BIGINT UNSIGNED NOT NULL,
    next_probe_at BIGINT UNSIGNED NOT NULL,
    changed_at BIGINT UNSIGNED NOT NULL,
    UNIQUE KEY endpoint_origin (origin),
    KEY endpoint_ready (ready_at)
  ) ENGINE=InnoDB`;

const CAWIN = `
  CREATE TABLE IF NOT EXISTS cawin (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    event_id BIGINT UNSIGNED NOT NULL,
    context_id INT UNSIGNED NOT NULL,
    active TINYINT UNSIGNED NOT NULL,
    closed TINYINT UNSIGNED NOT NULL,
    notify_on TINYINT UNSIGNED NOT NULL,
    endpoint_id BIGINT UNSIGNED NOT NULL,
    url VARBINARY(2048) NOT NULL,
    header_names VARBINARY(8192) NOT NULL,
    timeout_ms INT UNSIGNED NOT NULL,
    signed TINYINT UNSIGNED NOT NULL,
    former_secret_until BIGINT UNSIGNED NULL,
    sealed BLOB NULL,
    expires_at BIGINT UNSIGNED NULL,
    deadline BIGINT UNSIGNED NULL,
    request_id VARBINARY(64) NULL,
    digest VARBINARY(33) NULL,
    created_at BIGINT UNSIGNED NOT NULL,
    UNIQUE KEY cawin_request (context_id, request_id),
    KEY cawin_event (event_id, id),
    KEY cawin_context (context_id, id),
    KEY cawin_deadline (deadline)
  ) ENGINE=InnoDB`;

// A firing that is claimed is due again when its lease ends: who dies in the middle of a call needs nobody to clean up.
const FIRING = `
  CREATE TABLE IF NOT EXISTS firing (
    cawin_id BIGINT UNSIGNED NOT NULL,
    kind TINYINT UNSIGNED NOT NULL,
    position BIGINT UNSIGNED NULL,
    endpoint_id BIGINT UNSIGNED NOT NULL,
    state TINYINT UNSIGNED NOT NULL,
    due_at BIGINT UNSIGNED NULL,
    token BIGINT UNSIGNED NOT NULL,
    attempts INT UNSIGNED NOT NULL,
    round_start INT UNSIGNED NOT NULL,
    created_at BIGINT UNSIGNED NOT NULL,
    PRIMARY KEY (cawin_id, kind),
    KEY firing_due (endpoint_id, due_at)
  ) ENGINE=InnoDB`;

const ATTEMPT = `
  CREATE TABLE IF NOT EXISTS attempt (
    cawin_id BIGINT UNSIGNED NOT NULL,
    kind TINYINT UNSIGNED NOT NULL,
    number INT UNSIGNED NOT NULL,
    started_at BIGINT UNSIGNED NOT NULL,
    outcome TINYINT UNSIGNED NOT NULL,
    reason VARBINARY(32) NOT NULL,
    status VARBINARY(255) NOT NULL,
    status_code INT UNSIGNED NOT NULL,
    latency_us BIGINT UNSIGNED NOT NULL,
    first_bytes BLOB NOT NULL,
    error BLOB NOT NULL,
    PRIMARY KEY (cawin_id, kind, number)
  ) ENGINE=InnoDB`;

const FIRING_CURSOR = `
  CREATE TABLE IF NOT EXISTS firing_cursor (
    id TINYINT UNSIGNED NOT NULL PRIMARY KEY,
    position BIGINT UNSIGNED NOT NULL,
    log_epoch BIGINT UNSIGNED NOT NULL,
    owner VARBINARY(64) NOT NULL,
    owner_epoch BIGINT UNSIGNED NOT NULL,
    lease_until BIGINT UNSIGNED NOT NULL
  ) ENGINE=InnoDB`;

const text = (column: string, name: string) => `CONVERT(${column} USING utf8mb4) AS ${name}`;

const CAWINS_VIEW = `
  CREATE OR REPLACE VIEW cawins AS SELECT
    c.id, c.event_id, c.active, c.closed, ${text('c.url', 'url')}, ${text('c.request_id', 'request')},
    FROM_UNIXTIME(c.expires_at / 1000000) AS expires_at, FROM_UNIXTIME(c.created_at / 1000000) AS created_at,
    ELT(f.kind, 'OCCURRED', 'INVALIDATED', 'EXPIRED') AS firing,
    ELT(f.state, 'PENDING', 'DELIVERED', 'FAILED', 'HELD') AS firing_state, f.attempts,
    FROM_UNIXTIME(f.due_at / 1000000) AS due_at, ${text('e.origin', 'endpoint')},
    ELT(e.state, 'CLOSED', 'OPEN') AS endpoint_state
  FROM cawin c LEFT JOIN firing f ON f.cawin_id = c.id LEFT JOIN endpoint e ON e.id = c.endpoint_id`;

export const cawinsMigration = {
  name: '0004-cawins',
  async up(knex: Knex): Promise<void> {
    for (const statement of [ENDPOINT, CAWIN, FIRING, ATTEMPT, FIRING_CURSOR, CAWINS_VIEW]) await knex.raw(statement);
    // Events that occurred before there were cawins have none: the look begins at the head.
    await knex.raw(
      `INSERT IGNORE INTO firing_cursor (id, position, log_epoch, owner, owner_epoch, lease_until)
       SELECT 1, position, log_epoch, '', 0, 0 FROM log_head WHERE id = 1`,
    );
  },
};
