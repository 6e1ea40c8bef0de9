// The cause in logs as MariaDB 10.11.19 wrote them when its start was made to fail.

import { describe, expect, it } from 'vitest';
import { causeIn, waitsForSpace } from '../../../src/storage/embedded/embedded-log.js';

const ENDING = [
  '[ERROR] InnoDB: Plugin initialization aborted with error Generic error',
  "[ERROR] Plugin 'InnoDB' registration as a STORAGE ENGINE failed.",
  '[ERROR] Unknown/unsupported storage engine: InnoDB',
  '[ERROR] Aborting',
];

const log = (...lines: string[]) =>
  ['[Note] Starting MariaDB 10.11.19', '[Warning] Could not increase number of max_open_files', ...lines]
    .map((line) => (/^\[/.test(line) ? `2026-11-27  7:38:00 0 ${line}` : line))
    .join('\n');

describe('the cause in a log of MariaDB', () => {
  it.each<[what: string, lines: string[], cause: string]>([
    [
      'a full disk at the first file',
      [
        '[ERROR] InnoDB: preallocating 12582912 bytes for file ./ibdata1 failed with error 28',
        "[ERROR] InnoDB: Could not set the file size of './ibdata1'. Probably out of disk space",
        '[ERROR] InnoDB: Database creation was aborted with error Generic error. You may need to delete the ibdata1 file before trying to start up again.',
        ...ENDING.slice(1),
      ],
      "InnoDB: preallocating 12582912 bytes for file ./ibdata1 failed with error 28 (no space left on device); InnoDB: Could not set the file size of './ibdata1'. Probably out of disk space",
    ],
    [
      'a full disk at the log file',
      [
        '[ERROR] InnoDB: preallocating 100663296 bytes for file ./ib_logfile101 failed with error 28',
        '[ERROR] InnoDB: Cannot set log file ./ib_logfile101 size to 96.000MiB',
        ...ENDING,
      ],
      'InnoDB: preallocating 100663296 bytes for file ./ib_logfile101 failed with error 28 (no space left on device)',
    ],
    [
      'a full disk while tables are made',
      [`ERROR: 3  Error writing file './sys/x.frm~' (Errcode: 28 "No space left on device")`, '[ERROR] Aborting'],
      `ERROR: 3  Error writing file './sys/x.frm~' (Errcode: 28 "No space left on device")`,
    ],
    [
      'a full disk that is waited for',
      [
        `[Warning] mariadbd: Disk is full writing './mysql/help_topic.MAD' (Errcode: 28 "No space left on device"). Waiting for someone to free space...`,
        '[Warning] mariadbd: Retry in 60 secs. Message reprinted in 600 secs',
      ],
      `mariadbd: Disk is full writing './mysql/help_topic.MAD' (Errcode: 28 "No space left on device"). Waiting for someone to free space...`,
    ],
    [
      'no memory',
      [
        '[ERROR] mariadbd: Out of memory (Needed 128180224 bytes)',
        "[ERROR] Plugin 'Aria' registration as a STORAGE ENGINE failed.",
        '[ERROR] InnoDB: Cannot map innodb_buffer_pool_size_max=65m',
        ...ENDING.slice(0, 3),
        `[ERROR] Could not open mysql.plugin table: "Unknown storage engine 'Aria'". Some plugins may be not loaded`,
        '[ERROR] Failed to initialize plugins.',
        '[ERROR] Aborting',
      ],
      'mariadbd: Out of memory (Needed 128180224 bytes); InnoDB: Cannot map innodb_buffer_pool_size_max=65m',
    ],
    [
      'a directory for temporary files that is gone',
      [
        `[ERROR] mariadbd: Can't create/write to file '/nowhere/ib2w3DDU' (Errcode: 2 "No such file or directory")`,
        '[ERROR] InnoDB: Unable to create temporary file; errno: 2',
        ...ENDING,
      ],
      `mariadbd: Can't create/write to file '/nowhere/ib2w3DDU' (Errcode: 2 "No such file or directory"); InnoDB: Unable to create temporary file; errno: 2 (no such file or directory)`,
    ],
    [
      'a damaged control file',
      [
        "[ERROR] mariadbd: Got error 'File size bigger than expected' when trying to use aria control file '/d/aria_log_control'",
        "[ERROR] Plugin 'Aria' registration as a STORAGE ENGINE failed.",
        `[ERROR] Could not open mysql.plugin table: "Unknown storage engine 'Aria'". Some plugins may be not loaded`,
        '[ERROR] Failed to initialize plugins.',
        '[ERROR] Aborting',
      ],
      "mariadbd: Got error 'File size bigger than expected' when trying to use aria control file '/d/aria_log_control'",
    ],
    [
      'missing system tables, which much else goes wrong for',
      [
        `[ERROR] Could not open mysql.plugin table: "Table 'mysql.plugin' doesn't exist". Some plugins may be not loaded`,
        '[ERROR] InnoDB: Operating system error number 2 in a file operation.',
        "[ERROR] InnoDB: Error number 2 means 'No such file or directory'",
        "[ERROR] InnoDB: Cannot open datafile for read-only: './mysql/gtid_slave_pos.ibd' OS error: 71",
        "[ERROR] Fatal error: Can't open and lock privilege tables: Table 'mysql.db' doesn't exist",
        '[ERROR] Aborting',
      ],
      "Fatal error: Can't open and lock privilege tables: Table 'mysql.db' doesn't exist",
    ],
    [
      'a port that is taken',
      [
        "[ERROR] Can't start server: Bind on TCP/IP port. Got error: 98: Address already in use",
        '[ERROR] Do you already have another server running on port: 39871 ?',
        '[ERROR] Aborting',
      ],
      "Can't start server: Bind on TCP/IP port. Got error: 98: Address already in use",
    ],
    [
      'an unknown option',
      ["[ERROR] mariadbd: unknown option '--x'", '[ERROR] Aborting'],
      "mariadbd: unknown option '--x'",
    ],
    [
      'a program that cannot be loaded',
      ['mariadbd: error while loading shared libraries: libx.so: cannot open shared object file'],
      'mariadbd: error while loading shared libraries: libx.so: cannot open shared object file',
    ],
    ['nothing but its last line', ['[ERROR] Aborting'], 'Aborting'],
  ])('is found for %s', (_, lines, cause) => {
    expect(causeIn(log(...lines))).toBe(cause);
  });

  it('is not made up', () => {
    expect(causeIn('')).toBeUndefined();
    expect(causeIn(log('[Note] mariadbd: ready for connections.'))).toBeUndefined();
  });

  it('tells a database that waits for space from one that does not', () => {
    expect(waitsForSpace(log('[Warning] mariadbd: Disk is full writing x'))).toBe(true);
    expect(waitsForSpace(log(...ENDING))).toBe(false);
  });
});
