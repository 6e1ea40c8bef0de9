// `madeleine info`: what the server is, on what it runs, how its parts are, and what it takes at most.

import type { Command } from 'commander';
import {
  ComponentState,
  type DatabaseInfo,
  Durability,
  GetServerInfoResponse,
  type LogInfo,
  type ServerComponent,
  type ServerInstance,
  type ServerLimit,
} from '../../../../generated/madeleine/v1/admin_service.js';
import { calls } from '../../connection/calls.js';
import { type ClientOptions, clientCommand } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { enumText } from '../../text/enum-text.js';
import { messageJson } from '../../text/event-json.js';
import { type Column, type Output, printable, tableLines } from '../../text/output.js';
import { ageText, timestampText } from '../../text/time-text.js';

interface InfoFlags extends ClientOptions {
  readonly limits?: boolean;
}

const HELP = `
Works while the database is away, too: then it tells what was known last.

Examples:
  $ madeleine info
  $ madeleine info --limits
  $ madeleine info --json | jq -r .database.durability`;

const COMPONENTS: readonly Column<ServerComponent>[] = [
  { title: 'COMPONENT', text: ({ name }) => name },
  { title: 'STATE', text: ({ state }) => enumText(ComponentState, 'COMPONENT_STATE_', state) },
  { title: 'SINCE', text: ({ since }) => timestampText(since) },
  { title: 'DETAIL', text: ({ detail }) => detail },
];

const INSTANCES: readonly Column<ServerInstance>[] = [
  { title: 'INSTANCE', text: ({ name }) => name },
  { title: 'START', text: startText, right: true },
  { title: 'ADDRESS', text: ({ address }) => address },
  { title: 'STARTED AT', text: ({ startedAt }) => timestampText(startedAt) },
  { title: 'SEEN AT', text: ({ seenAt }) => timestampText(seenAt) },
];

const LIMITS: readonly Column<ServerLimit>[] = [
  { title: 'LIMIT', text: ({ name }) => name },
  { title: 'VALUE', text: ({ value }) => String(value), right: true },
  { title: 'OF', text: ({ unit }) => unit },
];

export function infoCommand(deps: CliDeps): Command {
  return clientCommand('info', 'show version, database, durability, head, components and instances of the server')
    .option('--limits', 'show what the server takes at most, too')
    .addHelpText('after', HELP)
    .action(
      calls(
        deps,
        {
          request: (_: InfoFlags) => ({}),
          call: ({ admin }, request, options) => admin.getServerInfo(request, options),
        },
        ({ output }, info, [{ limits = false }]) => printInfo(output, info, limits),
      ),
    );
}

async function printInfo(output: Output, info: GetServerInfoResponse, withLimits: boolean): Promise<void> {
  if (output.json) return output.line(messageJson(GetServerInfoResponse, info));
  for (const line of infoLines(info, withLimits)) await output.line(line);
}

/** The answer as text for people. */
export function infoLines(info: GetServerInfoResponse, withLimits: boolean): string[] {
  return [
    ...[versionText(info), instanceText(info), databaseText(info.database), logText(info.log)].map(printable),
    ...(info.database?.lossySettings ?? []).map(({ name, value, advice }) =>
      printable(`  ${name} is ${value}: ${advice}`),
    ),
    ...['', ...tableLines(info.components, COMPONENTS)],
    ...['', ...tableLines(info.instances, INSTANCES)],
    ...(withLimits ? ['', ...tableLines(info.limits, LIMITS)] : []),
  ];
}

function versionText({ version, contract, schemaVersion, nodeVersion }: GetServerInfoResponse): string {
  return `madeleine ${version}, contract ${contract}, schema ${schemaVersion}, on Node ${nodeVersion}`;
}

function instanceText({ instance, uptime }: GetServerInfoResponse): string {
  const start = instance === undefined ? '' : startText(instance);
  const since = `since ${timestampText(instance?.startedAt)} (${uptime === undefined ? '' : ageText(uptime)})`;
  return `instance ${instance?.name}${start === '' ? '' : `, start ${start}`}, at ${instance?.address}, ${since}`;
}

function startText({ startNumber }: ServerInstance): string {
  return startNumber === 0n ? '' : String(startNumber);
}

function databaseText(database: DatabaseInfo | undefined): string {
  const { engine = '', version = '', cluster = '', address = '', durability = 0, seenAt } = database ?? {};
  if (engine === '') return `database at ${address}: not seen yet`;
  const kept = enumText(Durability, 'DURABILITY_', durability);
  const parts = [`${engine} ${version}`, cluster, database?.embedded ? 'embedded' : `at ${address}`, kept];
  return `database ${parts.filter((part) => part !== '').join(', ')}, seen at ${timestampText(seenAt)}`;
}

function logText(log: LogInfo | undefined): string {
  const time = log?.headTime === undefined ? '' : `, of ${timestampText(log.headTime)}`;
  return `log of epoch ${log?.epoch}: head at position ${log?.headPosition}${time}`;
}
