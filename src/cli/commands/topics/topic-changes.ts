// `madeleine topics register|update|unregister`: give a topic its settings, change them, and take them away.

import type { Command } from 'commander';
import {
  RegisterTopicResponse,
  type SettingChange,
  UpdateTopicResponse,
} from '../../../../generated/madeleine/v1/topic_service.js';
import { answered, calls, deletes } from '../../connection/calls.js';
import { UsageError } from '../../connection/failures.js';
import type { ClientOptions, Session } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { type ByFlag, byOption } from '../../text/by-option.js';
import { messageJson } from '../../text/event-json.js';
import { defined } from '../../text/values.js';
import {
  addSettingFlags,
  givenKeys,
  givenSettings,
  type SettingFlags,
  type SettingKey,
  settingKey,
  settingsMask,
} from './setting-options.js';
import { keyOf, type TopicFlags, topicCommand } from './topic-command.js';
import { changeText, TOPIC } from './topic-text.js';

interface ChangeFlags extends TopicFlags, SettingFlags, ByFlag {
  readonly dryRun?: true;
  readonly force?: true;
  readonly unset?: readonly SettingKey[];
}

const REGISTER_HELP = `
With description paths, an event whose payload has the same values at all of them as an earlier event of the
topic is refused (ALREADY_OCCURRED), and so is one without a value at each of them.`;

const UPDATE_HELP = `
Other description paths take effect once the identities of all stored events are built by them: until then pushes
obey the former ones. madeleine topics get tells how far that is.`;

/** Makes a command that gives a topic settings. */
function settingsCommand(name: string, text: string): Command {
  return addSettingFlags(topicCommand(name, text))
    .option('--force', 'though durable consumers lose by it what they have not passed')
    .option('--dry-run', 'only tell what it would do')
    .addOption(byOption());
}

/** Returns the settings that such a command gives, as both calls take them. */
function settingsOf(name: string, flags: ChangeFlags) {
  const { dryRun = false, force = false } = flags;
  return { ...changeOf(name, flags), settings: givenSettings(flags), dryRun, force };
}

export function registerTopic(deps: CliDeps): Command {
  return settingsCommand('register', 'register a topic; one with the same settings is left as it is')
    .addHelpText('after', REGISTER_HELP)
    .action(
      calls(
        deps,
        {
          request: settingsOf,
          call: ({ topics }, request, options) => topics.registerTopic(request, options),
        },
        async ({ output }, answer, [, flags]) => {
          if (flags.dryRun === true && output.json) return output.line(messageJson(RegisterTopicResponse, answer));
          if (!answer.created) output.notice('the topic is registered so already: nothing changes');
          else if (flags.dryRun === true) output.notice('a dry run: nothing was registered');
          await output.item(answered(answer.topic), TOPIC);
        },
      ),
    );
}

export function updateTopic(deps: CliDeps): Command {
  return settingsCommand('update', 'change settings of a registered topic; the others stay')
    .option('--unset <setting>', 'take a setting away; repeatable', unsetKeys)
    .addHelpText('after', UPDATE_HELP)
    .action(
      calls(
        deps,
        {
          request: (name: string, flags: ChangeFlags) => ({
            ...settingsOf(name, flags),
            updateMask: updateMask(flags),
          }),
          call: ({ topics }, request, options) => topics.updateTopic(request, options),
        },
        async (session, answer, [, flags]) => {
          const { output } = session;
          if (output.json) return output.line(messageJson(UpdateTopicResponse, answer));
          await printChanges(session, answer.changes, flags);
          await output.item(answered(answer.topic), TOPIC);
        },
      ),
    );
}

async function printChanges({ output }: Session, changes: readonly SettingChange[], flags: ChangeFlags): Promise<void> {
  if (flags.dryRun === true) output.notice('a dry run: nothing was changed');
  else if (changes.length === 0) output.notice('the settings are so already: nothing changes');
  for (const change of changes) await output.line(changeText(change));
}

export function unregisterTopic(deps: CliDeps): Command {
  return topicCommand('unregister', 'take away what a topic is registered with; its events stay')
    .addOption(byOption())
    .action(
      deletes(deps, {
        request: changeOf,
        call: ({ topics }, request, options) => topics.unregisterTopic(request, options),
        named: (name) => `the registration of ${name}`,
      }),
    );
}

function updateMask(flags: ChangeFlags): string[] {
  const { unset = [] } = flags;
  const given = givenKeys(flags);
  const both = unset.find((key) => given.includes(key));
  if (both !== undefined) throw new UsageError(`${settingsMask([both])[0]} is given and unset`);
  const keys = [...new Set([...given, ...unset])];
  if (keys.length === 0) throw new UsageError('give at least one setting to change');
  return settingsMask(keys);
}

function unsetKeys(text: string, former: readonly SettingKey[] | undefined): readonly SettingKey[] {
  return [...(former ?? []), settingKey(text)];
}

function changeOf(name: string, flags: TopicFlags & ByFlag & ClientOptions) {
  return { ...keyOf(name, flags), ...defined({ by: flags.by }) };
}
