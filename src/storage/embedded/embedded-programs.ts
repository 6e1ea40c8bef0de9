// Finds MariaDB's programs on this machine. Installs nothing.

import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { EmbeddedDatabaseError } from './embedded-error.js';

export interface MariadbPrograms {
  /** Path of the server. */
  readonly server: string;
  /** Path of the program that fills an empty data directory. */
  readonly install: string;
}

/** Where distributions put the server although it is on nobody's PATH. */
const SYSTEM_DIRECTORIES = ['/usr/sbin', '/usr/bin', '/usr/libexec', '/usr/local/sbin', '/usr/local/bin'];

const ELSE_A_URL = 'or give a running server with MADELEINE_DATABASE_URL';

/** PATH, then the directories where servers live. */
export function defaultSearchDirectories(): readonly string[] {
  const path = (process.env['PATH'] ?? '').split(delimiter).filter((directory) => directory !== '');
  return [...path, ...SYSTEM_DIRECTORIES];
}

/** Finds the programs. Throws EmbeddedDatabaseError when no MariaDB server is found, with the command that installs one. */
export async function findPrograms(directories: readonly string[]): Promise<MariadbPrograms> {
  const server = await findProgram(['mariadbd', 'mysqld'], directories);
  if (server === undefined) {
    throw new EmbeddedDatabaseError(
      `no MariaDB server found for the embedded database: install one with "apt-get install mariadb-server", ${ELSE_A_URL}`,
    );
  }
  await assertMariadb(server);
  const install = await findProgram(['mariadb-install-db', 'mysql_install_db'], directories);
  if (install === undefined) {
    throw new EmbeddedDatabaseError(
      `${server} was found without mariadb-install-db: install it with "apt-get install mariadb-server", ${ELSE_A_URL}`,
    );
  }
  return { server, install };
}

async function findProgram(names: readonly string[], directories: readonly string[]): Promise<string | undefined> {
  for (const name of names) {
    for (const directory of directories) {
      const path = join(directory, name);
      if (await isExecutable(path)) return path;
    }
  }
  return undefined;
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Refuses a program that is not MariaDB's: `mysqld` may be MySQL's, whose data directory and options are others. */
async function assertMariadb(server: string): Promise<void> {
  const { stdout } = await promisify(execFile)(server, ['--no-defaults', '--version']).catch((cause: Error) => {
    throw new EmbeddedDatabaseError(`${server} does not run: ${cause.message.trim()}`, { cause });
  });
  if (!stdout.includes('MariaDB')) {
    throw new EmbeddedDatabaseError(
      `${server} is not MariaDB, which the embedded database needs: install it with "apt-get install mariadb-server", ${ELSE_A_URL}`,
    );
  }
}
