// `madeleine serve`: runs a server with the settings of flags and environment.

import type { Command } from 'commander';
import type { CliDeps } from '../../deps.js';
import { configCommand } from './config-options.js';

const HELP = `
Without --database-url it runs a MariaDB server of its own in the data directory, and stops it when it ends.
It prints one line "listening" once it serves, and ends on SIGTERM or Ctrl-C.

Examples:
  $ madeleine serve
  $ madeleine serve --listen 0.0.0.0:50051 --database-url mysql://madeleine:secret@db.internal:3306/madeleine`;

export function serveCommand(deps: CliDeps): Command {
  return configCommand({ name: 'serve', summary: 'run a server' }, deps, (config) => deps.serve(config)).addHelpText(
    'after',
    HELP,
  );
}
