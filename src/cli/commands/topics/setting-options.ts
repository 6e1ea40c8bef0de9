// The flags of a topic's settings, shared by `topics register|update`, and how a topic shows its settings: one entry a setting. See
// src/domain/topics/topic-settings.ts.

import { type Command, InvalidArgumentError } from 'commander';
import { RetentionMode, type Topic, type TopicSettings } from '../../../../generated/madeleine/v1/topic_service.js';
import type { Column } from '../../text/output.js';
import { uint64 } from '../../text/values.js';
import { compatibilityName, compatibilityNames, readCompatibility, readSchemaFile } from './schema-options.js';

export type SettingKey = keyof TopicSettings;

/** How one setting is given and shown; the flag has the setting's name, so that commander keeps it under the same key. */
interface SettingOption<Value> {
  readonly flags: string;
  readonly text: string;
  readonly read: (text: string, former: Value | undefined) => Value;
  readonly title: string;
  /** Empty where it is unset. */
  readonly show: (value: Value) => string;
}

const OPTIONS: { readonly [K in SettingKey]: SettingOption<TopicSettings[K]> } = {
  descriptionPaths: {
    flags: '--description-paths <paths>',
    text: 'JSON Pointers to what identifies its events, by commas; repeatable',
    read: (text, former) => [...(former ?? []), ...pointers(text)],
    title: 'DESCRIPTION PATHS',
    show: (paths) => paths.join(','),
  },
  schema: {
    flags: '--schema <file>',
    text: 'file with the JSON Schema of its payloads',
    read: (path) => readSchemaFile(path),
    title: 'SCHEMA',
    show: (schema) => (schema === '' ? '' : `${Buffer.byteLength(schema)} bytes`),
  },
  compatibility: {
    flags: '--compatibility <mode>',
    text: `how a new schema has to go together with those before it: ${compatibilityNames()}`,
    read: readCompatibility,
    title: 'COMPATIBILITY',
    show: compatibilityName,
  },
  ttl: {
    flags: '--ttl <time>',
    text: 'how long its events are kept: 24days, 36h, 90min, permanent or ephemeral',
    read: (text) => text,
    title: 'TTL',
    show: (ttl) => ttl,
  },
  retentionMode: {
    flags: '--retention-mode <mode>',
    text: 'expire: what consumers have not passed goes with its age; hold: it stays for them, 30 days at most',
    read: (text) => retentionMode(text),
    title: 'MODE',
    show: (mode) => (mode === RetentionMode.RETENTION_MODE_HOLD ? 'hold' : 'expire'),
  },
  maxEventsPerStream: {
    flags: '--max-events-per-stream <n>',
    text: 'how many of its events are kept in each stream, the newest ones; 0: any number',
    read: uint64,
    title: 'MAX EVENTS',
    show: limitText,
  },
  maxBytesPerStream: {
    flags: '--max-bytes-per-stream <bytes>',
    text: 'how many bytes their payloads may have together in each stream; 0: any number',
    read: uint64,
    title: 'MAX BYTES',
    show: limitText,
  },
  unreadWarning: {
    flags: '--unread-warning <time>',
    text: 'how long before it is told that events go which consumers have not passed: 24h, 3days or none (default 1day)',
    read: (text) => text,
    title: 'WARNING',
    show: (warning) => warning,
  },
  archive: {
    flags: '--archive',
    text: 'write its events to files before they are deleted (serve --archive-dir)',
    read: () => true,
    title: 'ARCHIVE',
    show: (archive) => (archive ? 'yes' : ''),
  },
};

/** Empty for what is not limited. */
function limitText(limit: bigint): string {
  return limit === 0n ? '' : String(limit);
}

export function retentionMode(text: string): RetentionMode {
  const modes = { expire: RetentionMode.RETENTION_MODE_EXPIRE, hold: RetentionMode.RETENTION_MODE_HOLD };
  const mode = Object.entries(modes).find(([name]) => name === text.toLowerCase())?.[1];
  if (mode === undefined) throw new InvalidArgumentError('expire or hold.');
  return mode;
}

/** The flags of settings, by their keys. */
export type SettingFlags = { readonly [K in SettingKey]?: TopicSettings[K] };

const KEYS = Object.keys(OPTIONS) as SettingKey[];

export function addSettingFlags(command: Command): Command {
  for (const key of KEYS) addFlag(command, key);
  return command;
}

function addFlag<K extends SettingKey>(command: Command, key: K): void {
  const { flags, text, read } = OPTIONS[key];
  command.option(flags, text, read);
}

/** The settings that were given. */
export function givenSettings(flags: SettingFlags): Partial<TopicSettings> {
  return Object.fromEntries(givenKeys(flags).map((key) => [key, flags[key]]));
}

export function givenKeys(flags: SettingFlags): readonly SettingKey[] {
  return KEYS.filter((key) => flags[key] !== undefined);
}

/** The setting of this name, such as `description_paths` or `description-paths`. */
export function settingKey(name: string): SettingKey {
  const key = KEYS.find((one) => snakeCase(one) === name.replaceAll('-', '_'));
  if (key === undefined) throw new InvalidArgumentError(`It has to be one of ${KEYS.map(snakeCase).join(', ')}.`);
  return key;
}

/** Paths of settings, for an update mask. */
export function settingsMask(keys: readonly SettingKey[]): string[] {
  return keys.map(snakeCase);
}

function snakeCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Columns of the settings of a topic; empty for one that is not registered. */
export const SETTING_COLUMNS: readonly Column<Topic>[] = KEYS.map((key) => ({
  title: OPTIONS[key].title,
  text: ({ settings }) => (settings === undefined ? '' : shown(key, settings)),
}));

/** The settings that are set, on one line. */
export function settingsText(settings: TopicSettings): string {
  const set = KEYS.map((key) => [snakeCase(key), shown(key, settings)]).filter(([, text]) => text !== '');
  return set.map(([name, text]) => `${name}=${text}`).join(' ');
}

function shown<K extends SettingKey>(key: K, settings: TopicSettings): string {
  return OPTIONS[key].show(settings[key]);
}

/** Splits pointers at commas. Each begins with a slash, so that a comma within a key is no end of one. */
function pointers(text: string): readonly string[] {
  return text.split(/,(?=\/)/);
}
