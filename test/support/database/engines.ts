// The database engines that tests run on, and how a private server of each is made and started. MADELEINE_TEST_ENGINE chooses
// one: `mariadb` unless told; `mariadb-binlog`, as everyone runs it who replicates; `mysql`, which scripts/setup-mysql.sh gets.

import { userInfo } from 'node:os';
import { fileURLToPath } from 'node:url';

/** A program and the options that it begins with. */
interface Command {
  readonly program: string;
  readonly options: readonly string[];
}

export interface Engine {
  /** For people. */
  readonly name: string;
  /** Makes the files of a new server below the directory. */
  installer(directory: string): Command;
  /** Runs the server on what the installer made, which then executes `init.sql` of the directory. */
  server(place: { readonly directory: string; readonly port: number }): Command;
}

const DURABLE = ['--innodb-flush-log-at-trx-commit=1', '--innodb-doublewrite=ON'];

/** What both say alike. A server that starts removes what it finds in its directory for temporary files: not the ones of another. */
function commonOptions(directory: string, port: number): string[] {
  return [
    ...[`--datadir=${directory}/data`, `--tmpdir=${directory}/tmp`, `--socket=${directory}/s.sock`],
    ...[`--pid-file=${directory}/pid`, `--init-file=${directory}/init.sql`, `--log-error=${directory}/log.err`],
    ...[`--port=${port}`, '--bind-address=127.0.0.1', '--skip-name-resolve', '--max-connections=500'],
    ...['--max-allowed-packet=64M', '--character-set-server=utf8mb4', '--innodb-buffer-pool-size=64M'],
    ...['--performance-schema=OFF', ...DURABLE],
  ];
}

class Mariadb implements Engine {
  readonly name: string;
  readonly #log: readonly string[];

  constructor(name: string, log: readonly string[]) {
    this.name = name;
    this.#log = log;
  }

  installer(directory: string): Command {
    const place = [`--datadir=${directory}/data`, `--tmpdir=${directory}/tmp`];
    const options = [...asUser(), ...place, '--skip-test-db', '--auth-root-authentication-method=normal'];
    return { program: 'mariadb-install-db', options: [...options, ...MARIADB_FILES] };
  }

  server({ directory, port }: { readonly directory: string; readonly port: number }): Command {
    const options = [...asUser(), ...commonOptions(directory, port), ...MARIADB_FILES, ...this.#log];
    return { program: 'mariadbd', options };
  }
}

const MARIADB_FILES = [
  '--innodb-log-file-size=16M',
  '--innodb-data-file-path=ibdata1:4M:autoextend',
  '--innodb-autoextend-increment=1',
  '--innodb-temp-data-file-path=ibtmp1:4M:autoextend',
  '--aria-log-file-size=8M',
];

/** The binary log is on, as MySQL has it unless told otherwise. */
class Mysql implements Engine {
  readonly name = 'MySQL';

  installer(directory: string): Command {
    return this.#command([`--datadir=${directory}/data`, `--log-error=${directory}/log.err`, '--initialize-insecure']);
  }

  server({ directory, port }: { readonly directory: string; readonly port: number }): Command {
    return this.#command([...commonOptions(directory, port), '--mysqlx=OFF', '--secure-file-priv=NULL']);
  }

  /** Through the loader of its own libc: see scripts/setup-mysql.sh. */
  #command(options: readonly string[]): Command {
    const usr = fileURLToPath(new URL('../../../.engines/mysql/usr', import.meta.url));
    const loader = ['--library-path', `${usr}/lib/x86_64-linux-gnu`, `${usr}/sbin/mysqld`];
    const places = [`--basedir=${usr}`, `--lc-messages-dir=${usr}/share/mysql`, `--plugin-dir=${usr}/lib/mysql/plugin`];
    const files = [
      '--innodb-redo-log-capacity=32M',
      '--innodb-autoextend-increment=1',
      '--binlog-expire-logs-auto-purge=OFF',
    ];
    return {
      program: `${usr}/lib64/ld-linux-x86-64.so.2`,
      options: [
        ...[...loader, ...asUser(), ...places, `--character-sets-dir=${usr}/share/mysql/charsets`],
        ...[...files, ...options],
      ],
    };
  }
}

const ENGINES = {
  mariadb: new Mariadb('MariaDB', ['--skip-log-bin']),
  'mariadb-binlog': new Mariadb('MariaDB with the binary log', [
    '--log-bin=binlog',
    '--sync-binlog=1',
    '--server-id=1',
  ]),
  mysql: new Mysql(),
} as const satisfies Record<string, Engine>;

export type EngineName = keyof typeof ENGINES;

/** Name of the engine of this run. */
export function testEngineName(): EngineName {
  const name = process.env['MADELEINE_TEST_ENGINE'] || 'mariadb';
  if (name in ENGINES) return name as EngineName;
  throw new Error(`MADELEINE_TEST_ENGINE is ${name}; known are ${Object.keys(ENGINES).join(', ')}`);
}

/** The engine of this run. */
export function testEngine(): Engine {
  return ENGINES[testEngineName()];
}

/** `--no-defaults` has to be the first option; servers refuse to run as root unless they are told to. */
function asUser(): string[] {
  return ['--no-defaults', ...(process.getuid?.() === 0 ? [`--user=${userInfo().username}`] : [])];
}
