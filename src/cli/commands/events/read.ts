// `madeleine read`: prints stored events, and with --follow what comes after them.

import type { Command } from 'commander';
import { EventReader } from '../../connection/event-reader.js';
import { type ClientOptions, clientCommand, runClient } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { count, defined, time, uint64 } from '../../text/values.js';
import { addReadFlags, type ReadFilterFlags, readRequest } from './read-options.js';

interface ReadFlags extends ClientOptions, ReadFilterFlags {
  readonly after?: bigint;
  readonly limit?: number;
  readonly follow?: true;
}

const HELP = `
Examples:
  $ madeleine read
  $ madeleine read --topic orders --since 15m
  $ madeleine read --topic orders --description '{"customer": {"id": 17}}'
  $ madeleine read --context all --after 1000 --follow --json`;

export function readCommand(deps: CliDeps): Command {
  return addReadFlags(clientCommand('read', 'print stored events in commit order'))
    .option('--after <position>', 'begin after this position', uint64)
    .option(
      '--since <time>',
      'begin with what was created later than this: a time, a day, or 15m for 15 minutes ago',
      time,
    )
    .option('--limit <n>', 'stop after so many events', count)
    .option('--follow', 'go on with new events; Ctrl-C ends it')
    .addHelpText('after', HELP)
    .action(async (flags: ReadFlags) => {
      const { after: afterPosition, follow, limit } = flags;
      const request = { ...readRequest(flags), ...defined({ afterPosition, follow }) };
      await runClient(deps, flags, (session) => new EventReader({ session, request, ...defined({ limit }) }).run(), {
        endless: follow === true && limit === undefined,
        unread: 'end at once',
      });
    });
}
