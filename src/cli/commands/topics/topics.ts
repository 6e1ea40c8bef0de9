// `madeleine topics`: lists topics, shows one, registers one.

import { Command } from 'commander';
import { Topic } from '../../../../generated/madeleine/v1/topic_service.js';
import { allPages } from '../../connection/pages.js';
import { type ClientOptions, clientCommand, runClient, type Session } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { messageJson } from '../../text/event-json.js';
import type { Column } from '../../text/output.js';
import { timestampText } from '../../text/time-text.js';
import { defined } from '../../text/values.js';

interface TopicFlags extends ClientOptions {
  readonly context?: string;
  readonly prefix?: string;
  readonly descriptionPaths?: readonly string[];
}

const COLUMNS: readonly Column<Topic>[] = [
  { title: 'CONTEXT', text: ({ context }) => context },
  { title: 'TOPIC', text: ({ name }) => name },
  { title: 'REGISTERED AT', text: ({ registeredAt }) => timestampText(registeredAt) },
  { title: 'DESCRIPTION PATHS', text: ({ settings }) => (settings?.descriptionPaths ?? []).join(',') },
];

const HELP = `
Examples:
  $ madeleine topics list --prefix order
  $ madeleine topics get orders
  $ madeleine topics register orders --description-paths /order/id,/state`;

const REGISTER_HELP = `
With description paths, an event whose payload has the same values at all of them as an earlier event of the
topic is refused (ALREADY_OCCURRED), and so is one without a value at each of them.`;

export function topicsCommand(deps: CliDeps): Command {
  return new Command('topics')
    .description('list topics, show one, or register one')
    .addHelpText('after', HELP)
    .addCommand(listCommand(deps), { isDefault: true })
    .addCommand(getCommand(deps))
    .addCommand(registerCommand(deps));
}

function listCommand(deps: CliDeps): Command {
  return clientCommand('list', 'list topics by name')
    .option('--context <name>', 'context; "all": every context (default "default")')
    .option('--prefix <text>', 'only names that begin with this')
    .action(async (flags: TopicFlags) => {
      const filter = defined({ context: flags.context, namePrefix: flags.prefix });
      await runClient(deps, flags, async ({ client, output }) => {
        const topics = await allPages(async (pageToken) => {
          const page = await client.call((options) =>
            client.topics.listTopics({ ...filter, pageSize: 1000, pageToken }, options),
          );
          return { items: page.topics, nextPageToken: page.nextPageToken };
        });
        await output.list(topics, COLUMNS, (topic) => messageJson(Topic, topic));
      });
    });
}

function topicCommand(name: string, summary: string): Command {
  return clientCommand(name, summary)
    .argument('<topic>', 'name of the topic')
    .option('--context <name>', 'context (default "default")');
}

function getCommand(deps: CliDeps): Command {
  return topicCommand('get', 'show one topic').action(async (name: string, flags: TopicFlags) => {
    await runClient(deps, flags, async (session) => {
      const { client } = session;
      const { topic } = await client.call((options) => client.topics.getTopic(keyOf(name, flags), options));
      await printTopic(session, topic);
    });
  });
}

function registerCommand(deps: CliDeps): Command {
  return topicCommand('register', 'register a topic; one with the same settings is left as it is')
    .option('--description-paths <paths>', 'JSON Pointers to what identifies its events, by commas; repeatable', paths)
    .addHelpText('after', REGISTER_HELP)
    .action(async (name: string, flags: TopicFlags) => {
      const settings = { descriptionPaths: [...(flags.descriptionPaths ?? [])] };
      await runClient(deps, flags, async (session) => {
        const { client } = session;
        const request = { ...keyOf(name, flags), settings };
        const { topic } = await client.call((options) => client.topics.registerTopic(request, options));
        await printTopic(session, topic);
      });
    });
}

/** Every pointer begins with a slash, so that a comma within a key is no end of one. */
function paths(text: string, former: readonly string[] | undefined): readonly string[] {
  return [...(former ?? []), ...text.split(/,(?=\/)/)];
}

function keyOf(name: string, { context }: TopicFlags) {
  return { name, ...defined({ context }) };
}

function printTopic({ output }: Session, topic: Topic | undefined): Promise<void> {
  return output.item(Topic.fromPartial(topic ?? {}), COLUMNS, (item) => messageJson(Topic, item));
}
