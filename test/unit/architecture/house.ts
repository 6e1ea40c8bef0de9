// The house: its rooms, a folder of src each, and who may import whom, type imports included. The tests beside it hold the files
// against it, and it against the files: what nobody uses is not allowed either.

/** Rooms by their path in src, each with the rooms that it may import. A room may also be one file. */
export const HOUSE: Readonly<Record<string, string>> = {
  // The process, its settings, and the words for metrics and logs.
  main: 'app cli/commands config',
  config: 'lib settings',
  settings: '',
  telemetry: '',
  units: '',
  lib: '',

  // Builds everything, and alone knows every floor.
  app: `cli/commands config domain domain/cawins domain/consumers domain/descriptions domain/events domain/json domain/waits
    engine/admin engine/archive engine/cawins engine/consumers engine/consumers/named engine/consumers/parked engine/consumers/passed engine/consumers/places engine/erasure engine/group
    engine/log engine/retention engine/statistics engine/streams engine/topics engine/waits generated grpc/admin grpc/cawins
    grpc/consumers
    grpc/events grpc/server grpc/topics grpc/wire http lib outbound outbound/amqp outbound/grpc outbound/guard
    outbound/http storage/archive storage/embedded storage/instance storage/mysql/archive storage/mysql/cawins storage/mysql/consumers
    storage/mysql/erasure storage/mysql/group storage/mysql/log storage/mysql/names storage/mysql/server storage/mysql/sql
    storage/mysql/statistics storage/mysql/topics storage/mysql/waits storage/ports
    settings storage/mysql/retention telemetry`,

  // Decisions, pure: no clock, no I/O, no other floor.
  domain: '',
  'domain/archive': 'domain domain/events',
  'domain/cawins': 'domain domain/events',
  'domain/collections': '',
  'domain/consumers': 'domain domain/collections domain/consumers/settings domain/events',
  'domain/consumers/managed': 'domain/consumers',
  'domain/consumers/settings': 'domain/events',
  'domain/consumers/unread': 'domain/consumers domain/events',
  'domain/descriptions': 'domain domain/json',
  'domain/erasure': 'domain domain/events',
  'domain/events': 'domain domain/descriptions domain/json',
  'domain/group': `domain domain/cawins domain/collections domain/descriptions domain/erasure domain/events domain/json
    domain/management domain/schemas domain/topics domain/waits`,
  'domain/json': '',
  'domain/schemas': 'domain domain/events domain/json',
  'domain/schemas/compatibility': 'domain/json domain/schemas',
  'domain/statistics': 'domain/consumers domain/events',
  'domain/management': 'domain domain/consumers domain/consumers/managed domain/consumers/settings domain/events',
  'domain/retention': 'domain domain/events',
  'domain/topics': 'domain domain/descriptions domain/schemas domain/schemas/compatibility domain/retention',
  'domain/waits': 'domain domain/events',

  // What runs: the parts that wait, read, commit and call, over ports.
  'engine/archive': 'domain domain/archive domain/events lib storage/ports telemetry',
  'engine/admin': 'domain domain/events engine/log lib storage/ports',
  'engine/cawins': `domain domain/cawins domain/events domain/waits engine/cawins/callback-sender engine/erasure engine/group
    engine/log lib storage/ports telemetry`,
  'engine/cawins/callback-sender': 'domain/events',
  'engine/consumers': `domain domain/collections domain/consumers domain/consumers/managed domain/consumers/unread domain/events domain/group
    domain/management
    engine/consumers/gaps engine/consumers/named engine/consumers/ownership engine/consumers/passed engine/consumers/state engine/group engine/log engine/statistics lib
    storage/ports telemetry`,
  'engine/consumers/gaps': 'engine/consumers/ownership storage/ports',
  'engine/consumers/named': 'domain domain/consumers storage/ports',
  'engine/consumers/passed': 'domain/consumers domain/events lib storage/ports',
  'engine/consumers/parked': `domain domain/consumers domain/events domain/management engine/consumers
    engine/consumers/ownership engine/erasure engine/group engine/log storage/ports`,
  'engine/consumers/places': 'domain/consumers domain/consumers/managed engine/consumers/ownership storage/ports',
  'engine/consumers/ownership': 'domain domain/consumers lib storage/ports telemetry',
  'engine/consumers/state': 'domain domain/consumers engine/log lib telemetry',
  'engine/erasure': 'domain domain/erasure domain/events lib storage/ports',
  'engine/group': `domain domain/cawins domain/descriptions domain/erasure domain/events domain/group domain/json
    domain/management domain/schemas domain/topics domain/waits engine/log lib storage/ports telemetry`,
  'engine/log': 'domain domain/events domain/waits engine/erasure lib storage/ports telemetry',
  'engine/streams': `domain domain/consumers domain/events domain/group domain/management engine/consumers/passed
    engine/consumers/state engine/group engine/log storage/ports`,
  'engine/retention': `domain/consumers domain/consumers/unread domain/events domain/retention engine/log lib storage/ports telemetry domain domain/management engine/consumers/state engine/group`,
  'engine/topics': `domain domain/descriptions domain/events domain/group domain/management domain/schemas
    domain/schemas/compatibility domain/topics engine/group engine/log lib storage/ports telemetry`,
  'engine/statistics': `domain/consumers domain/statistics engine/consumers/state engine/log lib storage/ports
    telemetry`,
  'engine/waits': 'domain domain/descriptions domain/events engine/group engine/log lib storage/ports telemetry',

  // Ports, and what stands behind them.
  'storage/archive': 'domain domain/archive domain/collections domain/events storage/ports',
  'storage/embedded': 'domain lib telemetry',
  'storage/instance': 'storage/embedded storage/ports',
  'storage/mysql/archive': `domain domain/archive domain/erasure storage/mysql/erasure storage/mysql/names storage/mysql/sql
    storage/ports`,
  'storage/mysql/cawins': `domain domain/cawins domain/events domain/group domain/waits lib storage/mysql/erasure storage/mysql/sql
    storage/mysql/waits storage/ports`,
  'storage/mysql/consumers': `domain domain/consumers domain/consumers/managed domain/consumers/unread domain/events domain/group
    domain/json domain/management lib storage/mysql/log storage/mysql/names storage/mysql/sql storage/ports`,
  'storage/mysql/erasure': `domain domain/erasure domain/events domain/group domain/json storage/mysql/names
    storage/mysql/retention storage/mysql/sql storage/ports`,
  'storage/mysql/group': `domain domain/cawins domain/events domain/group storage/mysql/consumers storage/mysql/erasure storage/mysql/log
    storage/mysql/names storage/mysql/sql storage/mysql/topics storage/mysql/waits storage/ports`,
  'storage/mysql/log': `domain domain/events domain/group domain/json lib storage/mysql/names storage/mysql/sql
    storage/ports`,
  'storage/mysql/migrations': '',
  'storage/mysql/names': 'domain domain/events storage/mysql/sql',
  'storage/mysql/retention': `domain domain/cawins domain/descriptions domain/events domain/retention domain/topics
    storage/mysql/consumers storage/mysql/log storage/mysql/sql storage/ports`,
  'storage/mysql/server': 'storage/mysql/sql storage/ports',
  'storage/mysql/sql': 'domain lib settings storage/mysql/migrations',
  'storage/mysql/statistics':
    'domain domain/events domain/statistics storage/mysql/names storage/mysql/sql storage/ports',
  'storage/mysql/topics': `domain domain/events domain/group domain/json domain/schemas domain/topics lib storage/mysql/log
    storage/mysql/names storage/mysql/sql storage/ports`,
  'storage/mysql/waits': `domain domain/descriptions domain/events domain/group domain/json domain/waits lib
    storage/mysql/log storage/mysql/names storage/mysql/sql storage/mysql/topics storage/ports`,
  'storage/ports': `domain/archive domain/cawins domain/consumers domain/consumers/managed domain/consumers/unread domain/erasure domain/events domain/group domain/statistics
    domain/topics domain/waits domain/retention`,

  // Callbacks, by protocol.
  outbound: `domain domain/cawins engine/cawins/callback-sender lib outbound/amqp outbound/attempt outbound/grpc
    outbound/guard outbound/http telemetry`,
  'outbound/amqp': `domain domain/cawins engine/cawins/callback-sender lib outbound/attempt outbound/connection
    settings telemetry`,
  'outbound/attempt': 'domain domain/cawins domain/events domain/json engine/cawins/callback-sender',
  'outbound/connection': '',
  'outbound/grpc': `domain/cawins domain/events engine/cawins/callback-sender generated lib outbound/attempt
    outbound/connection outbound/guard`,
  'outbound/guard': 'config lib outbound/attempt outbound/connection',
  'outbound/http':
    'domain/cawins engine/cawins/callback-sender lib outbound/attempt outbound/connection outbound/guard',

  // The contract for others to call.
  'grpc/admin': `domain domain/events domain/statistics engine/admin engine/log engine/statistics generated grpc/events
    grpc/wire lib storage/ports`,
  'grpc/cawins': `domain domain/cawins domain/events domain/json engine/cawins engine/group engine/log engine/waits
    generated grpc/events grpc/wire`,
  'grpc/consumers': `domain domain/consumers domain/consumers/managed domain/consumers/settings domain/events domain/json engine/consumers engine/consumers/named
    engine/consumers/parked engine/consumers/passed engine/consumers/places engine/consumers/state engine/group engine/log generated grpc/events grpc/wire lib storage/ports`,
  'grpc/events': `domain domain/descriptions domain/erasure domain/events domain/json domain/management domain/waits engine/consumers/passed engine/erasure engine/group
    engine/log engine/streams generated grpc/wire lib`,
  'grpc/server': 'domain grpc/wire lib settings telemetry',
  'grpc/topics': `domain domain/schemas domain/schemas/compatibility domain/topics engine/group engine/log
    engine/topics generated grpc/wire storage/ports engine/retention domain/retention`,
  'grpc/wire': `domain domain/consumers domain/descriptions domain/events domain/json domain/management generated
    lib`,

  // Health and metrics.
  http: 'lib settings telemetry',

  // The command line, a client like any other.
  cli: 'config',
  'cli/commands': `cli cli/commands/admin cli/commands/archive cli/commands/cawins cli/commands/consumers cli/commands/events cli/commands/rpc cli/commands/server
    cli/commands/topics cli/commands/waits cli/connection cli/text lib`,
  'cli/commands/admin': 'cli cli/connection cli/text generated lib',
  'cli/commands/archive': 'cli cli/connection cli/text generated storage/archive',
  'cli/commands/cawins': 'cli cli/commands/events cli/connection cli/text generated lib',
  'cli/commands/consumers': 'cli cli/commands/filters cli/connection cli/text domain/events generated lib',
  'cli/commands/events': 'cli cli/commands/filters cli/connection cli/text domain domain/events generated lib',
  'cli/commands/filters': 'cli/text domain/events generated',
  'cli/commands/rpc': 'cli cli/connection cli/text lib',
  'cli/commands/server': 'cli cli/connection cli/text config settings',
  'cli/commands/topics': 'cli cli/connection cli/text generated',
  'cli/commands/waits': 'cli cli/connection cli/text generated lib',
  'cli/connection': 'cli cli/text config domain generated lib',
  'cli/text': 'domain domain/descriptions domain/events domain/json generated',
};

/** Rooms that everyone may import: types alone. */
export const EVERYONES: readonly string[] = ['units'];

/** What a floor, or a room of it that is named, may use beyond the house. */
interface Outside {
  /** npm packages; a name ending in * stands for all that begin so. */
  readonly packages: readonly string[];
  /** Whether it may open files, sockets and processes by itself. */
  readonly io: boolean;
}

const GRPC = ['nice-grpc*', '@grpc/grpc-js', '@bufbuild/protobuf'];

/** By room or floor: the longest name that fits counts. A floor that is not named uses nothing. */
export const OUTSIDE: Readonly<Record<string, Outside>> = {
  main: { packages: ['pino'], io: false },
  app: { packages: ['prom-client', 'nice-grpc*'], io: false },
  telemetry: { packages: ['prom-client'], io: false },
  // Patterns of schemas, in linear time.
  'domain/schemas': { packages: ['re2js'], io: false },
  'storage/archive': { packages: [], io: true },
  'storage/embedded': { packages: [], io: true },
  'storage/instance': { packages: [], io: true },
  'storage/mysql': { packages: ['knex', 'mysql2'], io: false },
  'storage/mysql/sql': { packages: ['knex', 'mysql2'], io: true },
  settings: { packages: [], io: true },
  outbound: { packages: [], io: true },
  'outbound/amqp': { packages: ['amqplib'], io: true },
  'outbound/grpc': { packages: GRPC, io: true },
  grpc: { packages: GRPC, io: false },
  'grpc/server': { packages: [...GRPC, 'prom-client'], io: true },
  http: { packages: ['@hono/node-server', 'hono', 'prom-client'], io: true },
  cli: { packages: [...GRPC, '@bufbuild/protobuf/wkt', '@grpc/proto-loader', 'commander', 'cli-progress'], io: true },
};
