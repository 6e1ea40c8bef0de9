// `madeleine topics`: lists topics, shows one, registers one.

import type { Command } from 'commander';
import { Topic } from '../../../../generated/madeleine/v1/topic_service.js';
import { commandGroup, listCommand, lists, shows } from '../../connection/calls.js';
import { type ClientOptions, clientCommand } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { type ByFlag, byOption } from '../../text/by-option.js';
import { messageView } from '../../text/event-json.js';
import type { Column } from '../../text/output.js';
import { timestampText } from '../../text/time-text.js';
import { defined } from '../../text/values.js';
import { addSettingFlags, givenSettings, SETTING_COLUMNS, type SettingFlags } from './setting-options.js';

interface TopicFlags extends ClientOptions, ByFlag, SettingFlags {
  readonly context?: string;
  readonly prefix?: string;
}

const COLUMNS: readonly Column<Topic>[] = [
  { title: 'CONTEXT', text: ({ context }) => context },
  { title: 'TOPIC', text: ({ name }) => name },
  { title: 'REGISTERED AT', text: ({ registeredAt }) => timestampText(registeredAt) },
  ...SETTING_COLUMNS,
];
const TOPIC = messageView(Topic, COLUMNS);

const HELP = `
Examples:
  $ madeleine topics list --prefix order
  $ madeleine topics get orders
  $ madeleine topics register orders --description-paths /order/id,/state`;

const REGISTER_HELP = `
With description paths, an event whose payload has the same values at all of them as an earlier event of the
topic is refused (ALREADY_OCCURRED), and so is one without a value at each of them.`;

export function topicsCommand(deps: CliDeps): Command {
  const parent = { name: 'topics', summary: 'list topics, show one, or register one', help: HELP };
  return commandGroup(deps, parent, [listTopics, getTopic, registerTopic]);
}

function listTopics(deps: CliDeps): Command {
  return listCommand('list', 'list topics by name')
    .option('--prefix <text>', 'only names that begin with this')
    .action(
      lists(deps, TOPIC, {
        request: ({ context, prefix }: TopicFlags) => defined({ context, namePrefix: prefix }),
        call: ({ topics }, request, options) => topics.listTopics(request, options),
        items: ({ topics }) => topics,
      }),
    );
}

function topicCommand(name: string, summary: string): Command {
  return clientCommand(name, summary)
    .argument('<topic>', 'name of the topic')
    .option('--context <name>', 'context (default "default")');
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

function registerTopic(deps: CliDeps): Command {
  return addSettingFlags(topicCommand('register', 'register a topic; one with the same settings is left as it is'))
    .addOption(byOption())
    .addHelpText('after', REGISTER_HELP)
    .action(
      shows(deps, TOPIC, {
        request: (name: string, flags: TopicFlags) => ({
          ...keyOf(name, flags),
          ...defined({ by: flags.by }),
          settings: givenSettings(flags),
        }),
        call: ({ topics }, request, options) => topics.registerTopic(request, options),
        item: ({ topic }) => topic,
      }),
    );
}

function keyOf(name: string, { context }: TopicFlags) {
  return { name, ...defined({ context }) };
}
