// The data directory of the embedded database: what lies where, and its first filling.
//
//   <dataDir>/mariadb/       MariaDB's files; there only once they are complete
//   <dataDir>/mariadb.log    MariaDB's error log
//   <dataDir>/mariadb.sock   socket of the administrator (the system's user who runs the server)
//   <dataDir>/password       of our own user, readable by the owner only
//   <dataDir>/init.sql       run by MariaDB at each start: our database and our user
//   <dataDir>/tmp/           MariaDB's temporary files: at its start it removes what it takes for its own in such a directory
//
// MariaDB's programs run in this directory and are told of its files by relative names: a path of the operator's may have spaces,
// quotes, colons and any length, of which a shell script and lists of paths would make something else.

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { open, readdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { EmbeddedDatabaseError } from './embedded-error.js';
import { causeIn, waitsForSpace } from './embedded-log.js';
import { makeDirectory } from './make-directory.js';

/** MariaDB's own limit for the path of a file is 512, of which its tables need a part. */
const MAX_PATH_BYTES = 400;

export interface PrepareOptions {
  /** Path of mariadb-install-db. */
  readonly install: string;
  readonly signal: AbortSignal;
}

export class EmbeddedDirectory {
  /** The directory without links, so that one directory has one name. */
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Creates the directory where it is missing. Throws EmbeddedDatabaseError when it cannot be written. */
  static async open(path: string): Promise<EmbeddedDirectory> {
    try {
      await makeDirectory(path);
      const real = await realpath(path);
      if (Buffer.byteLength(real) > MAX_PATH_BYTES)
        throw new EmbeddedDatabaseError(
          `the path of the data directory is longer than MariaDB can use, ${MAX_PATH_BYTES} bytes`,
        );
      const probe = join(path, `.writable-${process.pid}`);
      await writeFile(probe, '');
      await rm(probe);
      await makeDirectory(join(path, 'tmp'));
      return new EmbeddedDirectory(real);
    } catch (cause) {
      if (cause instanceof EmbeddedDatabaseError) throw cause;
      const { code } = cause as NodeJS.ErrnoException;
      throw new EmbeddedDatabaseError(`the data directory ${path} cannot be written (${code ?? cause})`, { cause });
    }
  }

  /** The directory as it is; undefined where there is none. Creates nothing. */
  static async find(path: string): Promise<EmbeddedDirectory | undefined> {
    const real = await realpath(path).catch(() => undefined);
    return real === undefined ? undefined : new EmbeddedDirectory(real);
  }

  get data(): string {
    return join(this.path, 'mariadb');
  }

  get log(): string {
    return join(this.path, 'mariadb.log');
  }

  /** Where the path is longer than the kernel takes for a socket (107 bytes), it is reached from the directory by its name. */
  get socket(): string {
    return join(this.path, 'mariadb.sock');
  }

  get initFile(): string {
    return join(this.path, 'init.sql');
  }

  /**
   * Fills `data` if it is missing or empty. The work is done beside it and renamed at its end, so that a kill leaves
   * nothing half done. The caller holds the directory's lock.
   */
  async prepare(options: PrepareOptions): Promise<void> {
    await this.#removeUnfinished();
    const entries = await this.#dataEntries();
    if (entries.includes('mysql')) return;
    if (entries.length > 0) throw new EmbeddedDatabaseError(`${this.data} holds files that are not MariaDB's`);
    const unfinished = `${this.data}.new-${randomBytes(4).toString('hex')}`;
    await install(unfinished, options);
    await rename(unfinished, this.data);
    await syncDirectory(this.path);
  }

  /** Whether a database was made here. */
  async isFilled(): Promise<boolean> {
    return (await this.#dataEntries()).includes('mysql');
  }

  /** The password of our own user, minted at the first call. */
  async readPassword(): Promise<string> {
    const stored = await this.storedPassword();
    if (stored !== '') return stored;
    const password = randomBytes(24).toString('base64url');
    await writePrivate(join(this.path, 'password'), password);
    return password;
  }

  /** The password of our own user; empty where there is none yet. */
  async storedPassword(): Promise<string> {
    return readFile(join(this.path, 'password'), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    });
  }

  /** Writes what MariaDB runs at each start; running it again changes nothing. */
  async writeInitFile(database: string, password: string): Promise<void> {
    const user = `${database}@'127.0.0.1'`;
    await writePrivate(
      this.initFile,
      [
        `CREATE DATABASE IF NOT EXISTS ${database} CHARACTER SET utf8mb4;`,
        `CREATE USER IF NOT EXISTS ${user} IDENTIFIED BY '${password}';`,
        `ALTER USER ${user} IDENTIFIED BY '${password}';`,
        `GRANT ALL ON ${database}.* TO ${user};`,
        '',
      ].join('\n'),
    );
  }

  #dataEntries(): Promise<string[]> {
    return readdir(this.data).catch((): string[] => []);
  }

  async #removeUnfinished(): Promise<void> {
    const names = await readdir(this.path);
    const unfinished = names.filter((name) => name.startsWith('mariadb.new-'));
    await Promise.all(
      unfinished.map((name) => rm(join(this.path, name), { recursive: true, force: true, maxRetries: 5 })),
    );
  }
}

/**
 * mariadbd refuses to run as root unless it is told to. The script that fills a directory would, told so by the option's long
 * name, change owners beside passing it on, of MariaDB's plugins too.
 */
export function asRoot(): readonly string[] {
  return process.getuid?.() === 0 ? ['-uroot'] : [];
}

/** The environment of MariaDB's programs: none of our settings, which may hold secrets. */
export function mariadbEnvironment(): NodeJS.ProcessEnv {
  const { PATH = '', TMPDIR } = process.env;
  return { PATH: `${PATH}:/usr/sbin:/usr/bin:/sbin:/bin`, TZ: 'UTC', LC_ALL: 'C', ...(TMPDIR && { TMPDIR }) };
}

async function install(directory: string, options: PrepareOptions): Promise<void> {
  if (options.signal.aborted) throw new EmbeddedDatabaseError('stopped while the data directory was being prepared');
  const child = spawn(
    options.install,
    [
      // The first dot makes it relative to the working directory, and not to where MariaDB is installed.
      ...['--no-defaults', `--datadir=./${basename(directory)}`, '--tmpdir=.', '--skip-test-db', '--skip-name-resolve'],
      ...['--auth-root-authentication-method=socket', ...rootAccount(), ...asRoot()],
    ],
    // A group of its own: it is a script, and what it started has to end with it.
    { detached: true, cwd: dirname(directory), stdio: ['ignore', 'pipe', 'pipe'], env: mariadbEnvironment() },
  );
  const abort = () => endGroup(child.pid);
  options.signal.addEventListener('abort', abort, { once: true });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    errors += chunk;
    if (waitsForSpace(errors)) abort();
  });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  options.signal.removeEventListener('abort', abort);
  if (code === 0) return;
  await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  if (options.signal.aborted) throw new EmbeddedDatabaseError('stopped while the data directory was being prepared');
  throw new EmbeddedDatabaseError(
    `${options.install} failed: ${causeIn(errors) ?? causeIn(output) ?? (lastLine(errors) || `exit ${code}`)}`,
  );
}

function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The option that makes root whoever runs the server, over the socket only; none for a user without a name (in some containers). */
function rootAccount(): string[] {
  try {
    return [`--auth-root-socket-user=${userInfo().username}`];
  } catch {
    return [];
  }
}

function lastLine(output: string): string {
  return output.split('\n').findLast((line) => line.trim() !== '') ?? '';
}

/** Writes a file that only its owner can read; after a crash it is there as a whole or not at all. */
async function writePrivate(path: string, content: string): Promise<void> {
  const unfinished = `${path}.new`;
  await rm(unfinished, { force: true });
  const file = await open(unfinished, 'wx', 0o600);
  await file.writeFile(content);
  await file.sync();
  await file.close();
  await rename(unfinished, path);
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path);
  await directory.sync();
  await directory.close();
}
