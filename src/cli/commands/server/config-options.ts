// The flags of serve, migrate and doctor: one for each setting of config.ts, with its default and its variable.

import { Command, Option } from 'commander';
import { type Config, OPTIONS, type OptionName, readConfig } from '../../../config.js';
import type { CliDeps } from '../../deps.js';

/** What --help calls values of a kind, where it is not the kind's name. */
const VALUE_NAMES: Readonly<Record<string, string>> = {
  string: 'text',
  keys: 'text',
  peer: 'address',
  database: 'url',
  broker: 'url',
};

const NAMES = Object.keys(OPTIONS) as OptionName[];

/** The settings that say which database is meant. */
export const DATABASE_SETTINGS: readonly OptionName[] = ['databaseUrl', 'dataDir', 'databasePool'];

export interface ConfigCommand {
  readonly name: string;
  readonly summary: string;
  /** The settings that it heeds; all, unless told. The others are taken, so that the flags of serve can be given to every command. */
  readonly heeds?: readonly OptionName[];
}

/** A command that takes every setting as a flag; `work` gets the settings, read from flags, environment and defaults. */
export function configCommand(
  { name, summary, heeds = NAMES }: ConfigCommand,
  deps: CliDeps,
  work: ConfigWork,
): Command {
  const command = new Command(name).description(summary);
  for (const setting of NAMES) command.addOption(settingOption(setting).hideHelp(!heeds.includes(setting)));
  return command.action(async (flags: Record<string, string | boolean>) => {
    await work(readConfig(settingFlags(flags), deps.environment), flags);
  });
}

export type ConfigWork = (config: Config, flags: Readonly<Record<string, string | boolean>>) => Promise<void>;

function settingOption(name: OptionName): Option {
  const { flag, kind, text, variable, default: fallback } = OPTIONS[name];
  const value = kind === 'boolean' ? '[true|false]' : `<${VALUE_NAMES[kind] ?? kind}>`;
  const described = fallback === '' ? `env ${variable}` : `env ${variable}, default ${fallback}`;
  return new Option(`${flag} ${value}`, `${text} (${described})`);
}

/** The flags that were given, by the names of the settings; a flag alone means true. */
function settingFlags(flags: Readonly<Record<string, string | boolean>>): Partial<Record<OptionName, string>> {
  const given = NAMES.map((name) => [name, flags[new Option(OPTIONS[name].flag).attributeName()]] as const);
  return Object.fromEntries(
    given.filter(([, value]) => value !== undefined).map(([name, value]) => [name, String(value)]),
  );
}

/** Whether somebody gave the setting, by its flag or its variable: what is left out is no wish. */
export function isGiven(
  name: OptionName,
  flags: Readonly<Record<string, string | boolean>>,
  { environment }: Pick<CliDeps, 'environment'>,
): boolean {
  return Boolean(settingFlags(flags)[name] || environment[OPTIONS[name].variable]);
}
