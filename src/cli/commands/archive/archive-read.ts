// `madeleine archive read`: prints the events of archives, in the order of the log.

import { Command } from 'commander';
import { Event } from '../../../../generated/madeleine/v1/event.js';
import { type MergedLine, mergedLines } from '../../../storage/archive/merged-archives.js';
import { CommandFailed } from '../../connection/failures.js';
import type { CliDeps } from '../../deps.js';
import { eventLine } from '../../text/event-json.js';
import { positiveUint64 } from '../../text/values.js';
import { archivesOf, type FileFlags, outputOf } from './archive-files.js';

interface ReadFlags extends FileFlags {
  readonly context?: string;
  readonly topic?: string;
  readonly from?: bigint;
  readonly to?: bigint;
}

const HELP = `
Prints what is in archives, topic by topic in the order of the log, each entry once, also where files overlap. Needs no server, and
reads any number of events in the same memory. With --json each line is as it stands in the file: an event as all commands print it,
whose payload has the bytes that were stored. Exit code 1 if something could not be read: what could is printed, and
\`madeleine archive verify\` says more.

Examples:
  $ madeleine archive read ./archive
  $ madeleine archive read ./archive --topic orders --from 1000 --to 1999 --json
  $ madeleine archive read ./archive/default.orders.0000000000001000.5ad0c2f7b14e9a63.ndjson.gz | less`;

export function archiveReadCommand(deps: CliDeps): Command {
  return new Command('read')
    .description('print the events of archives: of files, or of all files in a directory')
    .argument('<path...>', 'files or directories')
    .option('--context <name>', 'only those of this context')
    .option('--topic <name>', 'only those of this topic')
    .option('--from <position>', 'the first position', positiveUint64)
    .option('--to <position>', 'the last position', positiveUint64)
    .option('--json', 'print one JSON object a line')
    .addHelpText('after', HELP)
    .action((paths: readonly string[], flags: ReadFlags) => read(deps, paths, flags));
}

async function read(deps: CliDeps, paths: readonly string[], flags: ReadFlags): Promise<void> {
  const output = outputOf(deps, flags);
  const { context, topic, from = 1n, to = 2n ** 53n } = flags;
  let damaged = 0;
  const onDamage = (file: string, damage: Error) => {
    damaged += 1;
    output.notice(`${file}: ${damage.message}`);
  };
  const options = { context, topic, from: Number(from), to: Number(to), onDamage };
  for await (const line of mergedLines(await archivesOf(paths), options)) {
    if (deps.stdout.destroyed) return;
    await output.line(output.json ? line.line.toString() : eventLine(eventOf(line), output.columns));
  }
  if (damaged > 0) throw new CommandFailed('not everything could be read: madeleine archive verify says more');
}

/** The event with its payload as it was stored. */
function eventOf({ envelope, payload }: MergedLine): Event {
  const event = Event.fromJSON(envelope);
  if (payload === undefined) return event;
  const { contentType, bytes } = payload;
  return { ...event, payload: { contentType, body: { $case: 'data', value: Buffer.from(bytes) } } };
}
