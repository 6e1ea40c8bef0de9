// `madeleine contexts`: what a context does with pushes to topics that nobody registered.

import { type Command, InvalidArgumentError } from 'commander';
import { Context, UnregisteredTopics } from '../../../../generated/madeleine/v1/topic_service.js';
import { commandGroup, shows } from '../../connection/calls.js';
import { UsageError } from '../../connection/failures.js';
import { type ClientOptions, clientCommand } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { type ByFlag, byOption } from '../../text/by-option.js';
import { enumText } from '../../text/enum-text.js';
import { messageView } from '../../text/event-json.js';
import type { Column } from '../../text/output.js';
import { defined } from '../../text/values.js';

interface ContextFlags extends ClientOptions, ByFlag {
  readonly unregisteredTopics?: UnregisteredTopics;
}

const PREFIX = 'UNREGISTERED_TOPICS_';
const COLUMNS: readonly Column<Context>[] = [
  { title: 'CONTEXT', text: ({ name }) => name },
  { title: 'UNREGISTERED TOPICS', text: unregisteredText },
];
const CONTEXT = messageView(Context, COLUMNS);

const HELP = `
Pushes to topics that nobody registered are stored as any other (accept), answered and forgotten (discard), or refused
(reject); where the context says nothing, as the server is told by MADELEINE_UNREGISTERED_TOPICS.

Examples:
  $ madeleine contexts get
  $ madeleine contexts update shop --unregistered-topics discard
  $ madeleine contexts update shop --unregistered-topics server
  $ madeleine topics discarded --context shop`;

export function contextsCommand(deps: CliDeps): Command {
  const parent = {
    name: 'contexts',
    summary: 'show what a context does with unregistered topics, or change it',
    help: HELP,
  };
  return commandGroup(deps, parent, [getContext, updateContext]);
}

function contextCommand(name: string, summary: string): Command {
  return clientCommand(name, summary).argument('[context]', 'name of the context (default "default")');
}

function getContext(deps: CliDeps): Command {
  return contextCommand('get', 'show one context').action(
    shows(deps, CONTEXT, {
      request: (context: string | undefined, _flags: ContextFlags) => defined({ context }),
      call: ({ topics }, request, options) => topics.getContext(request, options),
      item: ({ context }) => context,
    }),
  );
}

function updateContext(deps: CliDeps): Command {
  return contextCommand('update', 'change the settings of a context')
    .option('--unregistered-topics <what>', 'accept, discard, reject, or server: as the server is told', unregistered)
    .addOption(byOption())
    .action(
      shows(deps, CONTEXT, {
        request: (context: string | undefined, { unregisteredTopics, by }: ContextFlags) => {
          if (unregisteredTopics === undefined) throw new UsageError('give at least one setting to change');
          const settings = { unregisteredTopics };
          return { ...defined({ context, by }), settings, updateMask: ['unregistered_topics'] };
        },
        call: ({ topics }, request, options) => topics.updateContext(request, options),
        item: ({ context }) => context,
      }),
    );
}

function unregistered(text: string): UnregisteredTopics {
  const known = {
    accept: UnregisteredTopics.UNREGISTERED_TOPICS_ACCEPT,
    discard: UnregisteredTopics.UNREGISTERED_TOPICS_DISCARD,
    reject: UnregisteredTopics.UNREGISTERED_TOPICS_REJECT,
    server: UnregisteredTopics.UNREGISTERED_TOPICS_UNSPECIFIED,
  };
  const value = Object.entries(known).find(([name]) => name === text)?.[1];
  if (value === undefined) throw new InvalidArgumentError('It has to be accept, discard, reject or server.');
  return value;
}

function unregisteredText({ settings, unregisteredTopics }: Context): string {
  const own = settings?.unregisteredTopics ?? UnregisteredTopics.UNREGISTERED_TOPICS_UNSPECIFIED;
  const text = enumText(UnregisteredTopics, PREFIX, unregisteredTopics);
  return own === UnregisteredTopics.UNREGISTERED_TOPICS_UNSPECIFIED ? `${text}, as the server is told` : text;
}
