// The embedded database with real processes: each test has a directory of its own, and ends what it started.

import { once } from 'node:events';
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  realpath,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EmbeddedMariadb, type EmbeddedMariadbOptions } from '../../src/storage/embedded/embedded-mariadb.js';
import { defaultSearchDirectories } from '../../src/storage/embedded/embedded-programs.js';
import { isAlive, TestProcess } from '../support/server/process.js';
import { waitUntil } from '../support/wait-until.js';

describe('embedded database', () => {
  let root: string;
  let dataDir: string;
  let log: string[];
  const databases: EmbeddedMariadb[] = [];
  const processes: TestProcess[] = [];

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'madeleine-embedded-'));
    dataDir = join(root, 'data');
    log = [];
  });

  afterEach(async () => {
    await Promise.all(databases.splice(0).map((database) => database.stop()));
    await Promise.all(processes.splice(0).map((child) => child.end('SIGKILL')));
    await endDatabasesOf(root);
    await rm(root, { recursive: true, force: true, maxRetries: 5 });
  });

  function embedded(options: Partial<EmbeddedMariadbOptions> = {}): EmbeddedMariadb {
    const write = (_fields: object, message: string) => log.push(message);
    const logger = { debug: write, info: write, warn: write, error: write };
    const database = new EmbeddedMariadb({ dataDir, logger, bufferPoolBytes: 64 * 1024 * 1024, ...options });
    databases.push(database);
    return database;
  }

  /** The same in a process of its own, which can be killed. */
  async function runServer(): Promise<{ server: TestProcess; url: string; databasePid: number }> {
    const server = new TestProcess({ file: 'test/support/database/embedded-main.ts', arguments: [dataDir] });
    processes.push(server);
    const match = await server.printed(/^url (\S+) pid (\d+)$/m);
    return { server, url: match[1] ?? '', databasePid: Number(match[2]) };
  }

  it('starts on an empty directory with a durable database, and finds its data again', async () => {
    const first = embedded();
    const { url } = await first.start();
    expect(await query(url, 'SELECT @@innodb_flush_log_at_trx_commit a, @@innodb_doublewrite b, @@log_bin c')).toEqual([
      { a: 1, b: 1, c: 0 },
    ]);
    await query(url, 'CREATE TABLE kept (n INT PRIMARY KEY)');
    await query(url, 'INSERT INTO kept VALUES (7)');
    await first.stop();
    expect(first.pid).toBeUndefined();

    const second = await embedded().start();
    expect(await query(second.url, 'SELECT n FROM kept')).toEqual([{ n: 7 }]);
  });

  it('gives a user without rights outside of the database madeleine', async () => {
    const { url } = await embedded().start();
    const grants = await query(url, 'SHOW GRANTS');
    const text = grants.map((row) => String(Object.values(row)[0])).join('\n');
    expect(text).toMatch(/GRANT USAGE ON \*\.\*/);
    expect(text).toMatch(/GRANT ALL PRIVILEGES ON `madeleine`\.\*/);
    expect(text).not.toMatch(/GRANT OPTION|SUPER/);
    await expect(query(url, 'CREATE DATABASE other')).rejects.toThrow(/denied/i);
  });

  it('lets nobody in without the password over TCP', async () => {
    const { url } = await embedded().start();
    const { port } = new URL(url);
    for (const user of ['root', 'madeleine', '']) {
      await expect(query(`mysql://${user}@127.0.0.1:${port}/`, 'SELECT 1')).rejects.toThrow(/denied/i);
    }
  });

  it('keeps password and directory from other users', async () => {
    await embedded().start();
    expect((await stat(dataDir)).mode & 0o077).toBe(0);
    expect((await stat(join(dataDir, 'password'))).mode & 0o077).toBe(0);
    expect((await stat(join(dataDir, 'init.sql'))).mode & 0o077).toBe(0);
  });

  it('refuses a directory that another process uses, naming it, whatever the path is called', async () => {
    const { server } = await runServer();
    const other = join(root, 'link');
    await symlink(dataDir, other);
    const refused = new RegExp(`in use by another server \\(process ${server.pid}\\)`);
    await expect(embedded().start()).rejects.toThrow(refused);
    await expect(embedded({ dataDir: other }).start()).rejects.toThrow(refused);
    expect(server.running).toBe(true);
  });

  it('lets the directory go when it stops, and when it fails', async () => {
    const first = embedded();
    await first.start();
    await expect(first.start()).rejects.toThrow(/started already/);
    await first.stop();
    await writeFile(join(dataDir, 'password'), '');
    const failing = embedded({ startTimeoutMs: 0 });
    await expect(failing.start()).rejects.toThrow(/did not answer in time/);
    await embedded().start();
  });

  it('adopts the database that a killed server left behind, and stops it like its own', async () => {
    const { server, url, databasePid } = await runServer();
    await query(url, 'CREATE TABLE kept (n INT PRIMARY KEY)');
    await server.end('SIGKILL');
    expect(isAlive(databasePid)).toBe(true);

    const heir = embedded();
    expect(await heir.start()).toEqual({ url });
    expect(heir.pid).toBe(databasePid);
    expect(await query(url, 'SELECT * FROM kept')).toEqual([]);
    await heir.stop();
    await expect(query(url, 'SELECT 1')).rejects.toThrow(/ECONNREFUSED/);
    expect(await runningDatabases(root)).toEqual([]);
  });

  it('replaces a database that outlived its server but does not answer', async () => {
    const { server, url, databasePid } = await runServer();
    await query(url, 'CREATE TABLE kept (n INT PRIMARY KEY)');
    await server.end('SIGKILL');
    process.kill(databasePid, 'SIGSTOP');

    const heir = embedded({ startTimeoutMs: 3_000, stopTimeoutMs: 100 });
    const next = await heir.start();
    expect(heir.pid).not.toBe(databasePid);
    expect(await query(next.url, 'SELECT n FROM kept')).toEqual([]);
  });

  it('recovers after server and database were both killed', async () => {
    const { server, url, databasePid } = await runServer();
    await query(url, 'CREATE TABLE kept (n INT PRIMARY KEY)');
    await query(url, 'INSERT INTO kept VALUES (1), (2)');
    await server.end('SIGKILL');
    process.kill(databasePid, 'SIGKILL');

    const heir = embedded();
    const next = await heir.start();
    expect(heir.pid).not.toBe(databasePid);
    expect(await query(next.url, 'SELECT n FROM kept ORDER BY n')).toEqual([{ n: 1 }, { n: 2 }]);
  });

  it('starts a database again that died, with the same URL', async () => {
    const database = embedded();
    const { url } = await database.start();
    const before = database.pid;
    process.kill(before ?? 0, 'SIGKILL');
    await waitUntil(() => succeeds(url), { what: 'the database is back', timeoutMs: 20_000 });
    expect(database.pid).not.toBe(before);
    expect(log).toContain('embedded database ended by itself and is started again');
  });

  it('starts an adopted database again that died', async () => {
    const { server, url, databasePid } = await runServer();
    await server.end('SIGKILL');
    await embedded().start();
    process.kill(databasePid, 'SIGKILL');
    await waitUntil(() => succeeds(url), { what: 'the database is back', timeoutMs: 20_000 });
  });

  it('does not start again what it stops', async () => {
    const database = embedded();
    await database.start();
    await database.stop();
    expect(await runningDatabases(root)).toEqual([]);
    expect(log).not.toContain('embedded database ended by itself and is started again');
  });

  it('ends a start that a stop overtakes, and nothing half done is left', async () => {
    const database = embedded();
    const starting = database.start().catch((error: Error) => error.message);
    await waitUntil(() => names(dataDir).then((all) => all.some((name) => name.startsWith('mariadb.new-'))), {
      what: 'the directory is being prepared',
      intervalMs: 1,
    });
    await database.stop();
    expect(await starting).toMatch(/stopped while/);
    expect(await runningDatabases(root)).toEqual([]);
    expect((await names(dataDir)).filter((name) => name.startsWith('mariadb'))).toEqual([]);
    await embedded().start();
  });

  it('begins anew where the first preparation was killed', async () => {
    const server = new TestProcess({ file: 'test/support/database/embedded-main.ts', arguments: [dataDir] });
    processes.push(server);
    await waitUntil(() => names(dataDir).then((all) => all.some((name) => name.startsWith('mariadb.new-'))), {
      what: 'the directory is being prepared',
      intervalMs: 1,
    });
    await server.end('SIGKILL');
    expect(await names(dataDir)).not.toContain('mariadb');
    const { url } = await embedded().start();
    expect(await succeeds(url)).toBe(true);
    expect((await names(dataDir)).filter((name) => name.startsWith('mariadb.new-'))).toEqual([]);
  });

  it.each([
    ['a space', 'my data'],
    ['quotes', `it's "mine"`],
    ['what shells expand', '$HOME `id` * {a,b} ; & | < > \\\\ !'],
    ['a colon', 'c:data:more'],
    ['other letters', 'Größe 数据 🗄'],
    ['a dash in front', '-rf --datadir=x'],
    ['a line break and a tab', 'two\nlines\tand'],
    ['an equals sign and a hash', 'a=b#c%d'],
    ['dots', '.hidden..'],
    ['more bytes than a socket may have', 'd'.repeat(180)],
  ])('works in a directory with %s in its path, and touches nothing outside of it', async (_, name) => {
    const first = name.split(/\s/)[0] ?? '';
    const neighbour = join(root, first === name ? `${first}2` : first);
    await mkdir(neighbour, { mode: 0o711 });
    if (process.getuid?.() === 0) await chown(neighbour, 65_534, 65_534);
    const before = await stat(neighbour);
    const beside = await names(tmpdir());

    const database = embedded({ dataDir: join(root, name, 'data') });
    const { url } = await database.start();
    expect(await succeeds(url)).toBe(true);
    expect(await names(join(root, name, 'data'))).toEqual(
      expect.arrayContaining(['init.sql', 'mariadb', 'mariadb.log', 'mariadb.pid', 'mariadb.sock', 'password', 'tmp']),
    );
    await database.stop();

    const { uid, gid, mode, mtimeMs } = await stat(neighbour);
    expect({ uid, gid, mode, mtimeMs }).toEqual({
      ...{ uid: before.uid, gid: before.gid, mode: before.mode, mtimeMs: before.mtimeMs },
    });
    expect((await names(root)).sort()).toEqual([basename(neighbour), name].sort());
    const since = (await names(tmpdir())).filter((one) => !beside.includes(one));
    expect(since.filter((one) => /^madeleine-[0-9a-f]{16}\.sock$|^#sql|^ib/.test(one))).toEqual([]);
  });

  it('leaves owners and temporary files of others alone', async () => {
    const told = join(root, 'told');
    const script = join(root, 'mariadb-install-db');
    await writeFile(script, `#!/bin/sh\nprintf '%s\\n' "$PWD" "$@" > '${told}'\nexit 1\n`);
    await chmod(script, 0o755);
    await expect(embedded({ searchDirectories: [root, ...defaultSearchDirectories()] }).start()).rejects.toThrow(
      /failed/,
    );
    const [directory, ...options] = (await readFile(told, 'utf8')).trimEnd().split('\n');
    expect(directory).toBe(await realpath(dataDir));
    expect(options.filter((option) => /^--(user|group)/.test(option))).toEqual([]);
    expect(options).toContain('--tmpdir=.');

    const theirs = join(tmpdir(), '#sql-madeleine-of-another.MAD');
    await writeFile(theirs, '');
    try {
      await embedded().start();
      await stat(theirs);
    } finally {
      await rm(theirs);
    }
  });

  it('refuses a path that is too long for MariaDB', async () => {
    const long = join(root, 'd'.repeat(200), 'e'.repeat(200), 'f'.repeat(100));
    await expect(embedded({ dataDir: long }).start()).rejects.toThrow(/longer than MariaDB can use/);
  });

  it('says which package to install where no server program is found', async () => {
    const start = embedded({ searchDirectories: [root] }).start();
    await expect(start).rejects.toThrow(/no MariaDB server found.*apt-get install mariadb-server/);
    expect(await names(root)).toEqual([]);
  });

  it('refuses a mysqld that is not MariaDB', async () => {
    await writeFile(join(root, 'mysqld'), '#!/bin/sh\necho "mysqld  Ver 8.0.36 for Linux on x86_64"\n');
    await chmod(join(root, 'mysqld'), 0o755);
    await expect(embedded({ searchDirectories: [root] }).start()).rejects.toThrow(/is not MariaDB/);
  });

  it('says that a directory cannot be written', async () => {
    await writeFile(join(root, 'file'), '');
    const below = embedded({ dataDir: join(root, 'file', 'data') }).start();
    await expect(below).rejects.toThrow(/cannot be written \(ENOTDIR\)/);
    await expect(embedded({ dataDir: join(root, 'file') }).start()).rejects.toThrow(/cannot be written \(ENOTDIR\)/);
    await expect(embedded({ dataDir: '/proc/data' }).start()).rejects.toThrow(/cannot be written \(ENOENT\)/);
  });

  it('creates missing parents of its directory', async () => {
    await embedded({ dataDir: join(root, 'several', 'levels', 'deep') }).start();
    expect(await names(join(root, 'several', 'levels', 'deep'))).toContain('mariadb');
  });

  it('refuses a directory with files that are not MariaDB’s', async () => {
    await mkdir(join(dataDir, 'mariadb'), { recursive: true });
    await writeFile(join(dataDir, 'mariadb', 'holiday.jpg'), '');
    await expect(embedded().start()).rejects.toThrow(/holds files that are not MariaDB's/);
  });

  it('gives the reason of a database that refuses to start', async () => {
    const first = embedded();
    await first.start();
    await first.stop();
    await writeFile(join(dataDir, 'mariadb', 'ibdata1'), 'not a tablespace');
    await expect(embedded().start()).rejects.toThrow(/refused to start: .*ibdata1.*\(log: .*mariadb\.log\)/);
  });

  it('does not wait for space on the disk that the first start lacks', async () => {
    const script = join(root, 'mariadb-install-db');
    const said =
      '2026-11-27  7:44:29 1 [Warning] mariadbd: Disk is full writing (Errcode: 28 "No space left on device"). Waiting for someone to free space...';
    await writeFile(script, `#!/bin/sh\necho '${said}' >&2\nsleep 600\n`);
    await chmod(script, 0o755);
    const start = embedded({ searchDirectories: [root, ...defaultSearchDirectories()] }).start();
    await expect(start).rejects.toThrow(/failed: mariadbd: Disk is full writing .*No space left on device/);
    expect((await names(dataDir)).filter((name) => name.startsWith('mariadb.new-'))).toEqual([]);
  });

  it('gives the end of a database that says nothing, and what it says before it has a log', async () => {
    await embedded().start();
    await Promise.all(databases.splice(0).map((database) => database.stop()));
    const script = join(root, 'mariadbd');
    const version = '[ "$2" = --version ] && { echo MariaDB; exit; }';
    await writeFile(script, `#!/bin/sh\n${version}\nkill -9 $$\n`);
    await chmod(script, 0o755);
    const searchDirectories = [root, ...defaultSearchDirectories()];
    await expect(embedded({ searchDirectories }).start()).rejects.toThrow(/it was killed by SIGKILL without a reason/);
    await writeFile(
      script,
      `#!/bin/sh\n${version}\necho 'mariadbd: error while loading shared libraries: x' >&2\nexit 127\n`,
    );
    await expect(embedded({ searchDirectories }).start()).rejects.toThrow(/refused to start: .*shared libraries: x/);
  });

  it('waits for its own port when somebody takes it while it starts again', async () => {
    const database = embedded();
    const { url } = await database.start();
    const port = Number(new URL(url).port);
    const squatter = createServer();
    process.kill(database.pid ?? 0, 'SIGKILL');
    await waitUntil(() => database.pid === undefined, { what: 'the database is dead', intervalMs: 1 });
    squatter.listen(port, '127.0.0.1');
    await once(squatter, 'listening');
    await waitUntil(() => log.includes('embedded database did not start'), {
      what: 'a start fails',
      timeoutMs: 20_000,
    });
    squatter.close();
    await waitUntil(() => succeeds(url), { what: 'the database is back on its port', timeoutMs: 20_000 });
  });
});

async function query(url: string, sql: string): Promise<RowDataPacket[]> {
  const connection = await createConnection(url);
  try {
    const [rows] = await connection.query<RowDataPacket[]>(sql);
    return rows;
  } finally {
    await connection.end();
  }
}

async function succeeds(url: string): Promise<boolean> {
  return query(url, 'SELECT 1').then(
    () => true,
    () => false,
  );
}

async function names(directory: string): Promise<string[]> {
  return readdir(directory).catch(() => []);
}

/** Process ids of MariaDB's programs that work below the directory, the script that fills it among them. */
async function runningDatabases(directory: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const cwd = await readlink(`/proc/${name}/cwd`).catch(() => '');
    if (cwd.startsWith(directory)) found.push(Number(name));
  }
  return found;
}

async function endDatabasesOf(directory: string): Promise<void> {
  for (const pid of await runningDatabases(directory)) process.kill(pid, 'SIGKILL');
  await waitUntil(async () => (await runningDatabases(directory)).length === 0, { what: 'the databases are gone' });
}
