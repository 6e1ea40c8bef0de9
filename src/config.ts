// The one table of settings: each has a name, a variable, a flag, a type, a default and its text. Flags, environment,
// --help and the docs are made from it; nothing else declares an option.

import { parseSecretKeys, SecretBoxError } from './lib/secret-box.js';
import { brokerUrlProblem } from './settings/broker-url.js';
import { databaseUrlProblem } from './settings/database-url.js';

type Kind =
  | 'string'
  | 'address'
  | 'peer'
  | 'integer'
  | 'bytes'
  | 'boolean'
  | 'level'
  | 'choice'
  | 'database'
  | 'broker'
  | 'keys';

interface Option<K extends Kind = Kind> {
  readonly variable: string;
  readonly flag: string;
  readonly kind: K;
  readonly default: string;
  readonly text: string;
  readonly min?: number;
  readonly max?: number;
  /** The values of a choice. */
  readonly choices?: readonly string[];
}

export const OPTIONS = {
  listen: {
    variable: 'MADELEINE_LISTEN',
    flag: '--listen',
    kind: 'address',
    default: '127.0.0.1:50051',
    text: 'Address for gRPC.',
  },
  httpListen: {
    variable: 'MADELEINE_HTTP_LISTEN',
    flag: '--http-listen',
    kind: 'address',
    default: '127.0.0.1:50080',
    text: 'Address for liveness, readiness and metrics over HTTP.',
  },
  databaseUrl: {
    variable: 'MADELEINE_DATABASE_URL',
    flag: '--database-url',
    kind: 'database',
    default: '',
    text: 'mysql://user:password@host:port/database, with `?ssl-mode=VERIFY_IDENTITY` for TLS; empty: the embedded database.',
  },
  dataDir: {
    variable: 'MADELEINE_DATA_DIR',
    flag: '--data-dir',
    kind: 'string',
    default: './data',
    text: 'Directory of the embedded database, and of the name by which an instance takes up its own consumers after a crash.',
  },
  archiveDir: {
    variable: 'MADELEINE_ARCHIVE_DIR',
    flag: '--archive-dir',
    kind: 'string',
    default: '',
    text: 'Directory for the archives of topics that have one, which instances may share; empty: none, and nothing of such topics is deleted.',
  },
  databasePool: {
    variable: 'MADELEINE_DB_POOL',
    flag: '--db-pool',
    kind: 'integer',
    default: '10',
    min: 1,
    max: 200,
    text: 'Connections to the database at most, besides the two that commit groups and the one that makes reads durable.',
  },
  maxEventBytes: {
    variable: 'MADELEINE_MAX_EVENT_BYTES',
    flag: '--max-event-bytes',
    kind: 'bytes',
    default: '262144',
    min: 1024,
    max: 1048576,
    text: 'Payload of one event at most, in bytes.',
  },
  tailBytes: {
    variable: 'MADELEINE_TAIL_BYTES',
    flag: '--tail-bytes',
    kind: 'bytes',
    default: '67108864',
    min: 1048576,
    max: 4294967296,
    text: 'Memory for the newest part of the log, from which readers at the head are served.',
  },
  pollMs: {
    variable: 'MADELEINE_POLL_MS',
    flag: '--poll-ms',
    kind: 'integer',
    default: '50',
    min: 5,
    max: 10000,
    text: 'How often the log is looked at for what other instances committed, in milliseconds.',
  },
  maxStreams: {
    variable: 'MADELEINE_MAX_STREAMS',
    flag: '--max-streams',
    kind: 'integer',
    default: '2000',
    min: 1,
    max: 100000,
    text: 'Concurrent calls of one client connection at most.',
  },
  unregisteredTopics: {
    variable: 'MADELEINE_UNREGISTERED_TOPICS',
    flag: '--unregistered-topics',
    kind: 'choice',
    choices: ['accept', 'discard', 'reject'],
    default: 'accept',
    text: 'What becomes of pushes to topics that nobody registered, where their context says nothing: accept stores them, discard answers and forgets them, reject refuses them.',
  },
  advertise: {
    variable: 'MADELEINE_PEER_ADVERTISE',
    flag: '--peer-advertise',
    kind: 'peer',
    default: '',
    text: 'Address that other instances and clients are told to find this instance at; empty: the gRPC address.',
  },
  allowLossy: {
    variable: 'MADELEINE_ALLOW_LOSSY',
    flag: '--allow-lossy',
    kind: 'boolean',
    default: 'false',
    text: 'Serve although the database may lose commits on a crash.',
  },
  drainMs: {
    variable: 'MADELEINE_DRAIN_MS',
    flag: '--drain-ms',
    kind: 'integer',
    default: '5000',
    min: 0,
    max: 5000,
    text: 'How long open calls may go on after SIGTERM, in milliseconds.',
  },
  callbackAllow: {
    variable: 'MADELEINE_CALLBACK_ALLOW',
    flag: '--callback-allow',
    kind: 'string',
    default: '',
    text: 'Hosts, addresses and networks that callbacks may reach besides public addresses, such as `hooks.internal,10.0.0.0/8,localhost:8080`.',
  },
  amqpUrl: {
    variable: 'MADELEINE_AMQP_URL',
    flag: '--amqp-url',
    kind: 'broker',
    default: '',
    text: 'amqp://user:password@host:port/vhost of the broker for callbacks to `amqp:exchange/routing.key`; empty: none.',
  },
  secretKey: {
    variable: 'MADELEINE_SECRET_KEY',
    flag: '--secret-key',
    kind: 'keys',
    default: '',
    text: 'Key that encrypts the secrets of callbacks, 32 bytes in hex or base64; former keys may follow it, separated by commas. Empty: the embedded database keeps a key file of its own, another database keeps no secrets.',
  },
  schemaStrict: {
    variable: 'MADELEINE_SCHEMA_STRICT',
    flag: '--schema-strict',
    kind: 'boolean',
    default: 'false',
    text: 'Refuse a new schema of a topic where it is not proven that it goes together with the versions before it, and count members that no schema names.',
  },
  logLevel: {
    variable: 'MADELEINE_LOG_LEVEL',
    flag: '--log-level',
    kind: 'level',
    default: 'info',
    text: 'debug, info, warn, error or silent.',
  },
} as const satisfies Record<string, Option>;

export type OptionName = keyof typeof OPTIONS;

type ValueOf<K extends Kind> = K extends 'integer' | 'bytes' ? number : K extends 'boolean' ? boolean : string;

/** The settings of one server. */
export type Config = {
  readonly [N in OptionName]: (typeof OPTIONS)[N] extends { readonly choices: readonly (infer Choice)[] }
    ? Choice
    : ValueOf<(typeof OPTIONS)[N]['kind']>;
};

/** A setting that cannot be used: one sentence for the operator. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/**
 * Reads the settings: flags first, then the environment, then the defaults. Throws ConfigError that names the setting.
 * An empty value counts as not set.
 */
export function readConfig(
  flags: Partial<Record<OptionName, string>>,
  environment: Readonly<Record<string, string | undefined>>,
): Config {
  const names = Object.keys(OPTIONS) as OptionName[];
  const entries = names.map((name) => {
    const option: Option = OPTIONS[name];
    const text = flags[name] || environment[option.variable] || option.default;
    // Node reads bytes that are no UTF-8 so: another directory, or another password, than was meant.
    if (text.includes('\ufffd')) throw new ConfigError(`${option.variable} (${option.flag}) has to be UTF-8`);
    return [name, parseOption(option, text)];
  });
  return Object.fromEntries(entries) as Config;
}

function parseOption(option: Option, text: string): string | number | boolean {
  const refuse = (why: string) => new ConfigError(`${option.variable} (${option.flag}) ${why}, not "${text}"`);
  switch (option.kind) {
    case 'string':
      return text;
    case 'address':
      if (!isAddress(text)) throw refuse('has to be host:port with a port from 0 to 65535');
      return text;
    case 'peer':
      if (text !== '' && (!isAddress(text) || text.endsWith(':0')))
        throw refuse('has to be host:port with a port from 1 to 65535');
      return text;
    case 'database':
      return checked(option, text, databaseUrlProblem);
    case 'broker':
      return checked(option, text, brokerUrlProblem);
    case 'keys':
      return checked(option, text, secretKeyProblem);
    case 'level':
      if (!['debug', 'info', 'warn', 'error', 'silent'].includes(text))
        throw refuse(`has to be ${option.text.slice(0, -1)}`);
      return text;
    case 'choice':
      return checked(option, text, choiceProblem(option));
    case 'boolean':
      if (text !== 'true' && text !== 'false') throw refuse('has to be true or false');
      return text === 'true';
    case 'integer':
    case 'bytes': {
      const value = Number(text);
      const { min = 0, max = Number.MAX_SAFE_INTEGER } = option;
      if (!/^\d+$/.test(text) || value < min || value > max)
        throw refuse(`has to be a whole number from ${min} to ${max}`);
      return value;
    }
  }
}

/** A text that may hold a secret: what is wrong is said without it. */
function checked(option: Option, text: string, problem: (text: string) => string | undefined): string {
  const found = text === '' ? undefined : problem(text);
  if (found !== undefined) throw new ConfigError(`${option.variable} (${option.flag}) ${found}`);
  return text;
}

function choiceProblem({ choices = [] }: Option): (text: string) => string | undefined {
  return (text) => (choices.includes(text) ? undefined : `has to be one of ${choices.join(', ')}, not "${text}"`);
}

function secretKeyProblem(text: string): string | undefined {
  try {
    parseSecretKeys(text);
    return undefined;
  } catch (error) {
    if (error instanceof SecretBoxError) return `cannot be used: ${error.message}`;
    throw error;
  }
}

function isAddress(text: string): boolean {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:[\]\s]+):(\d{1,5})$/.exec(text);
  return match !== null && Number(match[2]) <= 65535;
}
