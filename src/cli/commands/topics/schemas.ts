// `madeleine schemas`: lists the versions of a topic's schema, prints one, and checks a new one.

import { type Command, Option } from 'commander';
import {
  CheckSchemaResponse as CheckedSchema,
  type CheckSchemaResponse,
  Schema,
  type SchemaCompatibility,
} from '../../../../generated/madeleine/v1/topic_service.js';
import { answered, calls, commandGroup, lists } from '../../connection/calls.js';
import { CommandFailed } from '../../connection/failures.js';
import { readTextFile } from '../../connection/files.js';
import type { CliDeps } from '../../deps.js';
import { messageJson, messageView } from '../../text/event-json.js';
import type { Column } from '../../text/output.js';
import { timestampText } from '../../text/time-text.js';
import { count, countOrZero, defined } from '../../text/values.js';
import { compatibilityName, compatibilityNames, readCompatibility } from './schema-options.js';
import { checkLines } from './schema-text.js';
import { type TopicFlags, topicCommand } from './topic-command.js';

interface GetFlags extends TopicFlags {
  readonly schemaVersion?: number;
}

interface CheckFlags extends TopicFlags {
  readonly compatibility?: SchemaCompatibility;
  readonly strict?: boolean;
  readonly last?: number;
}

const COLUMNS: readonly Column<Schema>[] = [
  { title: 'VERSION', text: ({ version }) => String(version), right: true },
  { title: 'CREATED AT', text: ({ createdAt }) => timestampText(createdAt) },
  { title: 'BYTES', text: ({ bytes }) => String(bytes), right: true },
  { title: 'IN FORCE', text: ({ inForce }) => (inForce ? 'yes' : 'no') },
];
const SCHEMA = messageView(Schema, COLUMNS);

const HELP = `
A schema is given to a topic by madeleine topics register and update, with --schema.

Examples:
  $ madeleine schemas list orders
  $ madeleine schemas get orders > order.json
  $ madeleine schemas check orders order.json && madeleine topics update orders --schema order.json`;

const CHECK_HELP = `
Exit code 0: the topic would take it; 1: it would not, or the schema cannot be used. What it would have refused of what is stored is
told, and decides nothing.`;

export function schemasCommand(deps: CliDeps): Command {
  const parent = {
    name: 'schemas',
    summary: "list the versions of a topic's schema, print one, or check a new one",
    help: HELP,
  };
  return commandGroup(deps, parent, [listSchemas, getSchema, checkSchema]);
}

function listSchemas(deps: CliDeps): Command {
  return topicCommand('list', "list the versions of a topic's schema").action(
    lists(deps, SCHEMA, {
      request: inTopic,
      call: ({ topics }, request, options) => topics.listSchemas(request, options),
      items: ({ schemas }) => schemas,
    }),
  );
}

function getSchema(deps: CliDeps): Command {
  return topicCommand('get', "print a topic's schema, the latest unless told")
    .option('--schema-version <number>', 'its version', count)
    .action(
      calls(
        deps,
        {
          request: (topic: string, flags: GetFlags) => ({
            ...inTopic(topic, flags),
            ...defined({ version: flags.schemaVersion }),
          }),
          call: ({ topics }, request, options) => topics.getSchema(request, options),
        },
        async ({ output }, answer) => {
          const schema = answered(answer.schema);
          if (output.json) return output.line(messageJson(Schema, schema));
          await output.line(JSON.stringify(JSON.parse(schema.schema), null, 2));
        },
      ),
    );
}

function checkSchema(deps: CliDeps): Command {
  return topicCommand('check', 'tell what a new schema of a topic would mean, and change nothing')
    .argument('<file>', 'file with the JSON Schema')
    .option('--compatibility <mode>', `${compatibilityNames()} (default: as the topic has it)`, readCompatibility)
    .addOption(new Option('--strict', 'refuse what is not proven too (default: as the server has it)'))
    .option('--last <events>', 'stored events to hold it against (default 10000, at most 100000; 0: none)', countOrZero)
    .addHelpText('after', CHECK_HELP)
    .action(
      calls(
        deps,
        {
          request: async (topic: string, file: string, flags: CheckFlags) => ({
            ...inTopic(topic, flags),
            schema: (await readTextFile(file)).toString(),
            ...defined({ compatibility: flags.compatibility, strict: flags.strict, lastEvents: flags.last }),
          }),
          call: ({ topics }, request, options) => topics.checkSchema(request, options),
        },
        async ({ output }, answer) => {
          if (output.json) await output.line(messageJson(CheckedSchema, answer));
          else for (const line of checkLines(answer)) await output.line(line);
          if (!answer.compatible) throw new CommandFailed(refusalText(answer));
        },
      ),
    );
}

function inTopic(topic: string, { context }: TopicFlags) {
  return { topic, ...defined({ context }) };
}

function refusalText({ compatibility }: CheckSchemaResponse): string {
  return `the schema is not ${compatibilityName(compatibility)} compatible`;
}
