import { describe, expect, it } from 'vitest';
import { judgeVariables, lossyFindings, unusableFindings } from '../../../src/storage/mysql/sql/durability.js';

const GOOD = {
  version: '10.11.19-MariaDB-0+deb12u1',
  innodb_flush_log_at_trx_commit: '1',
  innodb_doublewrite: 'ON',
  innodb_flush_method: 'O_DIRECT',
  sync_binlog: '0',
  log_bin: 'OFF',
  wsrep_on: 'OFF',
  read_only: 'OFF',
  max_allowed_packet: '16777216',
  binlog_format: 'STATEMENT',
  innodb_read_only: 'OFF',
  innodb_force_recovery: '0',
  offline_mode: 'OFF',
  enforce_storage_engine: '',
  innodb_page_size: '16384',
  max_connections: '151',
  max_user_connections: '0',
  max_prepared_stmt_count: '16382',
  wait_timeout: '28800',
};

function judge(changes: Record<string, string>) {
  return judgeVariables(new Map(Object.entries({ ...GOOD, ...changes })));
}

describe('database settings', () => {
  it('finds nothing wrong with a durable server', () => {
    expect(judge({}).filter(({ state }) => state !== 'ok')).toEqual([]);
    const { version: _, wsrep_on: __, ...variables } = GOOD;
    expect(
      judge({})
        .map(({ name }) => name)
        .sort(),
    ).toEqual(['engine', ...Object.keys(variables)].sort());
  });

  it.each([
    ['innodb_flush_log_at_trx_commit', '0'],
    ['innodb_flush_log_at_trx_commit', '2'],
    ['innodb_doublewrite', 'OFF'],
    ['innodb_doublewrite', 'DETECT_ONLY'],
    ['innodb_flush_method', 'nosync'],
  ])('calls %s = %s lossy, and says how to mend it', (name, value) => {
    const [finding, ...others] = lossyFindings(judge({ [name]: value }));
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ name, value, state: 'problem' });
    expect(finding?.advice).toContain(`${name} =`);
  });

  it('wants the binary log flushed only where there is one', () => {
    expect(lossyFindings(judge({ sync_binlog: '0', log_bin: 'OFF' }))).toEqual([]);
    expect(lossyFindings(judge({ sync_binlog: '1', log_bin: 'ON' }))).toEqual([]);
    expect(lossyFindings(judge({ sync_binlog: '100', log_bin: 'ON' }))).toMatchObject([{ name: 'sync_binlog' }]);
  });

  it('sees that MySQL was told to keep no redo log', () => {
    expect(lossyFindings(judge({ innodb_redo_log_enabled: 'OFF' }))).toMatchObject([
      { name: 'innodb_redo_log_enabled' },
    ]);
    expect(lossyFindings(judge({ innodb_redo_log_enabled: 'ON' }))).toEqual([]);
  });

  it('does not trust a server that hides its settings', () => {
    expect(lossyFindings(judgeVariables(new Map()))).toMatchObject([
      { name: 'innodb_flush_log_at_trx_commit' },
      { name: 'innodb_doublewrite' },
    ]);
  });

  it.each([
    ['read_only', 'ON', 'problem'],
    ['read_only', 'NO_LOCK', 'problem'],
    ['super_read_only', 'ON', 'problem'],
    ['max_allowed_packet', '1048576', 'problem'],
    ['innodb_read_only', 'ON', 'problem'],
    ['innodb_force_recovery', '1', 'problem'],
    ['offline_mode', 'ON', 'problem'],
    ['enforce_storage_engine', 'MyISAM', 'problem'],
    ['enforce_storage_engine', 'InnoDB', 'ok'],
    ['innodb_page_size', '4096', 'problem'],
    ['max_connections', '10', 'warning'],
    ['max_user_connections', '5', 'warning'],
    ['max_prepared_stmt_count', '0', 'problem'],
    ['wait_timeout', '5', 'warning'],
  ])('takes %s = %s for %s, with no loss', (name, value, state) => {
    const finding = judge({ [name]: value }).find((one) => one.name === name);
    expect(finding).toMatchObject({ durable: true, state });
    expect(finding?.advice === undefined).toBe(state === 'ok');
  });

  it('wants no log of statements where there is a binary log', () => {
    const state = (changes: Record<string, string>) =>
      unusableFindings(judge({ sync_binlog: '1', ...changes })).map(({ name, advice }) => ({ name, advice }));
    expect(state({ binlog_format: 'STATEMENT', log_bin: 'ON' })).toEqual([
      { name: 'binlog_format', advice: expect.stringContaining('SET GLOBAL binlog_format = ROW') },
    ]);
    expect(state({ binlog_format: 'MIXED', log_bin: 'ON' })).toEqual([]);
    expect(state({ binlog_format: 'STATEMENT', log_bin: 'OFF' })).toEqual([]);
  });

  it('wants one primary of a replication group', () => {
    const group = { group_replication_single_primary_mode: 'OFF', group_replication_group_name: 'b3…' };
    expect(unusableFindings(judge(group))).toMatchObject([{ name: 'engine' }]);
    expect(unusableFindings(judge({ group_replication_single_primary_mode: 'OFF' }))).toEqual([]);
  });
});

describe('the engine', () => {
  it.each([
    ['MariaDB 10.11.19: every test runs on it', 'ok', {}],
    ['MariaDB 10.6.2', 'warning', { version: '10.6.2-MariaDB' }],
    ['MariaDB 11.4.2', 'warning', { version: '11.4.2-MariaDB-log' }],
    ['MariaDB 10.5.23', 'problem', { version: '10.5.23-MariaDB' }],
    ['MariaDB 8.0.30', 'problem', { version: '8.0.30', aria_pagecache_buffer_size: '134217728' }],
    ['MySQL 9.7.4: the storage, integration and cluster tests run on it', 'ok', { version: '9.7.4-2' }],
    ['MySQL 9.70.1', 'warning', { version: '9.70.1' }],
    ['MySQL 8.0.36', 'warning', { version: '8.0.36' }],
    ['MySQL 5.7.44', 'problem', { version: '5.7.44' }],
    ['MariaDB 10.11.19, Galera', 'warning', { wsrep_on: 'ON' }],
    ['TiDB 8.5.0', 'warning', { version: '8.0.11-TiDB-v8.5.0' }],
    ['TiDB 5.7.25', 'warning', { version: '5.7.25', tidb_txn_mode: 'pessimistic' }],
  ])('is named %s, and takes it for %s', (value, state, variables) => {
    const [finding] = judge(variables);
    expect(finding).toMatchObject({ name: 'engine', value, state, durable: true });
    expect(finding?.advice === undefined).toBe(state === 'ok');
  });

  it('is a group of MySQL servers with one primary, or cannot be used', () => {
    const group = (mode: string) =>
      judge({ version: '9.7.4', group_replication_group_name: 'a', group_replication_single_primary_mode: mode })[0];
    expect(group('ON')).toMatchObject({ value: 'MySQL 9.7.4, Group Replication', state: 'warning' });
    expect(group('OFF')).toMatchObject({ value: 'MySQL 9.7.4, Group Replication', state: 'problem' });
    expect(judge({ version: '9.7.4', group_replication_group_name: '' })[0]).toMatchObject({ state: 'ok' });
  });

  it('is not believed what it only imitates: variables of InnoDB say nothing on TiDB', () => {
    const imitated = {
      ...{ version: '8.0.11-TiDB-v8.5.0', tidb_txn_mode: 'pessimistic', innodb_doublewrite: 'OFF' },
      ...{ max_connections: '0', max_prepared_stmt_count: '-1', innodb_page_size: '0' },
    };
    const names = judge(imitated).map(({ name }) => name);
    expect(names).toEqual([
      ...['engine', 'tidb_txn_mode', 'read_only', 'offline_mode', 'max_connections', 'max_user_connections'],
      ...['max_prepared_stmt_count', 'wait_timeout', 'max_allowed_packet'],
    ]);
    expect(judge(imitated).filter(({ name, state }) => name !== 'engine' && state !== 'ok')).toEqual([]);
    expect(judge({ ...imitated, tidb_txn_mode: 'optimistic' })[1]).toMatchObject({ state: 'problem' });
  });
});
