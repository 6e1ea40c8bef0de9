// `madeleine archive`: lists archives by a server, and reads and verifies their files without one.

import type { Command } from 'commander';
import { Archive } from '../../../../generated/madeleine/v1/topic_service.js';
import { commandGroup, listCommand, lists } from '../../connection/calls.js';
import type { ClientOptions } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { messageView } from '../../text/event-json.js';
import type { Column } from '../../text/output.js';
import { timestampText } from '../../text/time-text.js';
import { defined } from '../../text/values.js';
import { archiveReadCommand } from './archive-read.js';
import { archiveVerifyCommand } from './archive-verify.js';

interface ListFlags extends ClientOptions {
  readonly context?: string;
  readonly topic?: string;
}

const HELP = `
Topics registered with --archive have their events written to files in the directory of the server (serve --archive-dir) before
they are deleted: NAME.ndjson.gz has the events, one JSON object a line, and NAME.manifest.json tells of them; an archive that still
grows is NAME.ndjson.gz.open. read and verify work on the files, wherever they are, and need no server.

Examples:
  $ madeleine archive list --context all
  $ madeleine archive read /var/lib/madeleine/archive --topic orders --json | jq .payload.json
  $ madeleine archive verify /var/lib/madeleine/archive`;

const COLUMNS: readonly Column<Archive>[] = [
  { title: 'CONTEXT', text: ({ context }) => context },
  { title: 'TOPIC', text: ({ topic }) => topic },
  { title: 'FROM', text: ({ firstPosition }) => String(firstPosition), right: true },
  { title: 'TO', text: ({ lastPosition }) => String(lastPosition), right: true },
  { title: 'ENTRIES', text: ({ entries }) => String(entries), right: true },
  { title: 'BYTES', text: ({ fileBytes }) => String(fileBytes), right: true },
  { title: 'FIRST', text: ({ firstAt }) => timestampText(firstAt) },
  { title: 'LAST', text: ({ lastAt }) => timestampText(lastAt) },
  { title: 'SEALED', text: ({ sealedAt }) => timestampText(sealedAt) || 'no' },
  { title: 'NAME', text: ({ name }) => name },
];

export function archiveCommand(deps: CliDeps): Command {
  const summary = 'files that events were written to before they were deleted: list, read, verify';
  return commandGroup(deps, { name: 'archive', summary, help: HELP }, [list, archiveReadCommand, archiveVerifyCommand]);
}

function list(deps: CliDeps): Command {
  return listCommand('list', 'list archives, the oldest first')
    .option('--topic <name>', 'only those of this topic')
    .action(
      lists(deps, messageView(Archive, COLUMNS), {
        request: ({ context, topic }: ListFlags) => defined({ context, topic }),
        call: ({ topics }, request, options) => topics.listArchives(request, options),
        items: ({ archives }) => archives,
      }),
    );
}
