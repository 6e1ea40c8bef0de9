// `madeleine topics`: lists topics, shows one, and what registers and changes them.

import type { Command } from 'commander';
import { commandGroup, listCommand, lists, shows } from '../../connection/calls.js';
import type { CliDeps } from '../../deps.js';
import { defined } from '../../text/values.js';
import { listDiscarded } from './discarded.js';
import { registerTopic, unregisterTopic, updateTopic } from './topic-changes.js';
import { keyOf, type TopicFlags, topicCommand } from './topic-command.js';
import { LISTED_TOPIC, TOPIC } from './topic-text.js';

interface ListFlags extends TopicFlags {
  readonly prefix?: string;
}

const HELP = `
Examples:
  $ madeleine topics list --prefix order
  $ madeleine topics get orders
  $ madeleine topics register orders --description-paths /order/id,/state
  $ madeleine topics update orders --description-paths /order/id --dry-run
  $ madeleine topics update orders --unset description-paths
  $ madeleine topics unregister orders
  $ madeleine topics discarded --topic order`;

export function topicsCommand(deps: CliDeps): Command {
  const parent = { name: 'topics', summary: 'list topics, show one, register one or change what it has', help: HELP };
  return commandGroup(deps, parent, [
    ...[listTopics, getTopic, registerTopic, updateTopic, unregisterTopic, listDiscarded],
  ]);
}

function listTopics(deps: CliDeps): Command {
  return listCommand('list', 'list topics by name')
    .option('--prefix <text>', 'only names that begin with this')
    .action(
      lists(deps, LISTED_TOPIC, {
        request: ({ context, prefix }: ListFlags) => defined({ context, namePrefix: prefix }),
        call: ({ topics }, request, options) => topics.listTopics(request, options),
        items: ({ topics }) => topics,
      }),
    );
}

function getTopic(deps: CliDeps): Command {
  return topicCommand('get', 'show one topic').action(
    shows(deps, TOPIC, {
      request: keyOf,
      call: ({ topics }, request, options) => topics.getTopic(request, options),
      item: ({ topic }) => topic,
    }),
  );
}
