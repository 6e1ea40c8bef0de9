// `madeleine shapes`: lists the sets of paths by which events of topics were described, and drops one.

import type { Command } from 'commander';
import { Shape } from '../../../../generated/madeleine/v1/topic_service.js';
import { commandGroup, deletes, listCommand, lists } from '../../connection/calls.js';
import { type ClientOptions, clientCommand } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { type ByFlag, byOption } from '../../text/by-option.js';
import { messageView } from '../../text/event-json.js';
import { type Column, cut } from '../../text/output.js';
import { timestampText } from '../../text/time-text.js';
import { defined, uint64 } from '../../text/values.js';

interface ShapeFlags extends ClientOptions {
  readonly context?: string;
  readonly topic?: string;
}

/** Characters of the paths of a shape in a table; `--json` shows them all. */
const MAX_PATHS = 60;

const COLUMNS: readonly Column<Shape>[] = [
  { title: 'SHAPE', text: ({ id }) => String(id), right: true },
  { title: 'CONTEXT', text: ({ context }) => context },
  { title: 'TOPIC', text: ({ topic }) => topic },
  { title: 'PATHS', text: ({ paths }) => cut(paths.join(','), MAX_PATHS) },
  { title: 'READY', text: ({ ready }) => (ready ? 'yes' : 'no') },
  { title: 'NEEDED AT', text: ({ neededAt }) => timestampText(neededAt) },
  { title: 'AWAITED UNTIL', text: ({ awaitedUntil }) => timestampText(awaitedUntil) },
  { title: 'FREE AT', text: ({ freeAt }) => timestampText(freeAt) },
];
const SHAPE = messageView(Shape, COLUMNS);

const HELP = `
A topic has places for 16 sets of paths by which its events are described. One is given back by itself once nothing is
awaited by it and nobody has used it for a day, or for an hour where another set of paths needs its place.

Examples:
  $ madeleine shapes list --topic orders
  $ madeleine shapes drop 12`;

export function shapesCommand(deps: CliDeps): Command {
  const parent = {
    name: 'shapes',
    summary: 'list the sets of paths that topics are indexed by, or drop one',
    help: HELP,
  };
  return commandGroup(deps, parent, [listShapes, dropShape]);
}

function listShapes(deps: CliDeps): Command {
  return listCommand('list', 'list sets of paths by their ids')
    .option('--topic <name>', 'only those of this topic')
    .action(
      lists(deps, SHAPE, {
        request: ({ context, topic }: ShapeFlags) => defined({ context, topic }),
        call: ({ topics }, request, options) => topics.listShapes(request, options),
        items: ({ shapes }) => shapes,
      }),
    );
}

function dropShape(deps: CliDeps): Command {
  return clientCommand('drop', 'drop a set of paths by which nothing is awaited')
    .argument('<shape>', 'id of the shape', uint64)
    .addOption(byOption())
    .action(
      deletes(deps, {
        request: (id: bigint, { by }: ClientOptions & ByFlag) => ({ id, ...defined({ by }) }),
        call: ({ topics }, request, options) => topics.dropShape(request, options),
      }),
    );
}
