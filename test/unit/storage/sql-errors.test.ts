// What the numbers of a database's errors mean for the connection and for whoever ran the statement.

import { describe, expect, it } from 'vitest';
import { UrlProblem } from '../../../src/settings/server-url.js';
import { ServerChange } from '../../../src/storage/mysql/sql/server-change.js';
import { classifySqlError, isConnectionError, isWrongServer } from '../../../src/storage/mysql/sql/sql-errors.js';

const error = (errno: number) => Object.assign(new Error('injected'), { errno });

describe('errors of the database', () => {
  it.each([
    [1290, 'read_only, super_read_only'],
    [1792, 'a read-only transaction'],
    [1836, 'read-only mode'],
    [1874, 'InnoDB is read-only'],
    [3100, 'a group without a majority'],
    [1223, 'FLUSH TABLES WITH READ LOCK'],
    [3032, 'offline mode'],
    [1047, 'a node of Galera that is not in the cluster'],
    [1053, 'shutdown in progress'],
    [1077, 'normal shutdown'],
    [1079, 'shutdown complete'],
    [1158, 'a packet that could not be read'],
    [1184, 'an aborted connection'],
    [1927, 'KILL in MariaDB'],
    [3169, 'KILL in MySQL'],
    [4031, 'closed as idle'],
    [1045, 'access denied'],
    [1049, 'no such database'],
    [1130, 'this host may not connect'],
  ])('%i (%s) is of a server to turn away from', (errno) => {
    expect(isWrongServer(error(errno))).toBe(true);
    expect(classifySqlError(error(errno))).toBe('unavailable');
  });

  it.each([
    [1040, 'unavailable'],
    [1226, 'unavailable'],
    [1461, 'unavailable'],
    [1021, 'unavailable'],
    [1114, 'unavailable'],
    [1317, 'unavailable'],
    [1969, 'unavailable'],
    [3024, 'unavailable'],
    [9005, 'unavailable'],
    [1213, 'retry'],
    [1205, 'retry'],
    [1615, 'retry'],
    [3101, 'retry'],
    [9007, 'retry'],
    [1062, 'duplicate'],
    [1406, 'data'],
    [1064, 'other'],
    [1146, 'other'],
  ])('%i is %s, and leaves the connection as it is', (errno, failure) => {
    expect(classifySqlError(error(errno))).toBe(failure);
    expect(isWrongServer(error(errno))).toBe(false);
    expect(isConnectionError(error(errno))).toBe(false);
  });

  it.each([
    [1927, 'killed, in MariaDB'],
    [3169, 'killed, in MySQL'],
    [4031, 'cut off for its silence'],
  ])('%i (%s) leaves nothing that could be rolled back', (errno) => {
    expect(isConnectionError(error(errno))).toBe(true);
  });

  it('are no fault of ours where a file of certificates is being replaced', () => {
    expect(classifySqlError(new UrlProblem('names a file for ssl-ca that cannot be read'))).toBe('unavailable');
  });

  it('of a wrong server are told to everyone who is connected to it, those of one connection to nobody', () => {
    const change = new ServerChange();
    let told = 0;
    for (let n = 0; n < 3; n += 1) change.onChange(() => (told += 1));
    expect(change.endsConnection(Object.assign(new Error('lost'), { code: 'ECONNRESET' }))).toBe(true);
    expect(change.endsConnection(error(1205))).toBe(false);
    expect(told).toBe(0);
    expect(change.endsConnection(error(1290))).toBe(true);
    expect(told).toBe(3);
  });
});
