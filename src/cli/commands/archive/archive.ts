// `madeleine archive`: reads and verifies files of archives, without a server.

import type { Command } from 'commander';
import { commandGroup } from '../../connection/calls.js';
import type { CliDeps } from '../../deps.js';
import { archiveReadCommand } from './archive-read.js';
import { archiveVerifyCommand } from './archive-verify.js';

const HELP = `
NAME.ndjson.gz has the events of an archive, one JSON object a line, and NAME.manifest.json tells of them; an archive that still grows
is NAME.ndjson.gz.open.

Examples:
  $ madeleine archive read /var/lib/madeleine/archive --topic orders --json | jq .payload.json
  $ madeleine archive verify /var/lib/madeleine/archive`;

export function archiveCommand(deps: CliDeps): Command {
  const summary = 'files of archives: read, verify';
  return commandGroup(deps, { name: 'archive', summary, help: HELP }, [archiveReadCommand, archiveVerifyCommand]);
}
