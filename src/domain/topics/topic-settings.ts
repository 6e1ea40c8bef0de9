// The settings of a topic in one list. Registration and its comparison, updates, rows, the audit and the refusal of a registration that
// differs are made from it.
//
// To add a setting: a field of TopicSettings in topic_service.proto (`optional` where zero and unset are two things); a member of
// TopicSettings and of TopicSettingFields below, under the name that the field has in generated code; an entry of TOPIC_SETTINGS; a flag in
// src/cli/commands/topics/setting-options.ts; samples in test/support/topics/setting-samples.ts. The compiler names what is missing of these.
// Rows need no column: they keep what is not unset, as JSON by its name.

import { createHash } from 'node:crypto';
import { parseDescriptionPaths } from '../descriptions/description-paths.js';
import { fieldInvalid } from '../errors.js';
import { RETENTION_MODE_WORDS, type RetentionMode, retentionMode, UNSET_MODE } from '../retention/retention-policy.js';
import { MAX_BYTES_PER_STREAM, MAX_EVENTS_PER_STREAM, readLimit } from '../retention/stream-limits.js';
import { EPHEMERAL, PERMANENT, parseTtl } from '../retention/ttl.js';
import { DEFAULT_WARNING, parseWarning } from '../retention/unread-warning.js';
import { COMPATIBILITIES, type Compatibility } from '../schemas/compatibility/compatibility.js';
import { JsonSchema } from '../schemas/json-schema.js';

/** The settings in their one form: equal ones are equal as JSON. */
export interface TopicSettings {
  /** JSON Pointers to what identifies an event of the topic, sorted; empty: nothing does. */
  readonly descriptionPaths: readonly string[];
  /** What payloads have to be: a JSON Schema in its one form; empty: anything. */
  readonly schema: string;
  /** How a new schema has to go together with those before it. */
  readonly compatibility: Compatibility;
  /** How long events are kept, in the normal form. */
  readonly ttl: string;
  readonly retentionMode: RetentionMode;
  /** How many events of it are kept in each stream; 0: any number. */
  readonly maxEventsPerStream: number;
  /** How many bytes their payloads may have together; 0: any number. */
  readonly maxBytesPerStream: number;
  /** How long before it is told that events go which consumers have not passed, in the normal form. */
  readonly unreadWarning: string;
  /** Whether events are archived before they are deleted. */
  readonly archive: boolean;
}

/** The fields of the contract's message, as generated code has them. */
export interface TopicSettingFields {
  descriptionPaths: string[];
  schema: string;
  /** The number that it has in the contract. */
  compatibility: number;
  ttl: string;
  retentionMode: number;
  maxEventsPerStream: bigint;
  maxBytesPerStream: bigint;
  unreadWarning: string;
  archive: boolean;
}

/** What is kept of a setting: what JSON keeps as it is. No objects: a database may keep their members in another order. */
export type SettingValue = string | number | boolean | readonly SettingValue[];

/** What holds for one setting. */
interface TopicSetting<Value extends SettingValue, Field> {
  /** Its name in the contract, in rows and in the audit. */
  readonly name: string;
  /** Its value where nobody gives one. */
  readonly unset: Value;
  /** The value of a field, which may not be set; FIELD_INVALID under `path` and what is below it. */
  readonly read: (field: Field, path: string) => Value;
  /** The field that says the value. */
  readonly write: (value: Value) => Field;
  /** The value as the audit and refusals tell it; without: as it is. */
  readonly inWords?: (value: Value) => SettingValue;
}

export const TOPIC_SETTINGS: {
  readonly [K in keyof TopicSettings]: TopicSetting<TopicSettings[K], TopicSettingFields[K]>;
} = {
  descriptionPaths: {
    name: 'description_paths',
    unset: [],
    read: (pointers, path) => [...parseDescriptionPaths(pointers, path).pointers].sort(),
    write: (pointers) => [...pointers],
  },
  schema: {
    name: 'schema',
    unset: '',
    read: (text, path) => (text === '' ? '' : JsonSchema.parse(text, path).text),
    write: (text) => text,
    inWords: schemaInWords,
  },
  compatibility: {
    name: 'compatibility',
    unset: 'BACKWARD',
    read: readCompatibility,
    write: (compatibility) => COMPATIBILITIES.indexOf(compatibility) + 1,
  },
  ttl: {
    name: 'ttl',
    unset: PERMANENT,
    read: parseTtl,
    write: (ttl) => ttl,
  },
  retentionMode: {
    name: 'retention_mode',
    unset: UNSET_MODE,
    read: retentionMode,
    write: (mode) => mode,
    inWords: (mode) => RETENTION_MODE_WORDS[mode],
  },
  maxEventsPerStream: {
    name: 'max_events_per_stream',
    unset: 0,
    read: (value, path) => readLimit(value, MAX_EVENTS_PER_STREAM, path),
    write: BigInt,
  },
  maxBytesPerStream: {
    name: 'max_bytes_per_stream',
    unset: 0,
    read: (value, path) => readLimit(value, MAX_BYTES_PER_STREAM, path),
    write: BigInt,
  },
  unreadWarning: {
    name: 'unread_warning',
    unset: DEFAULT_WARNING,
    read: parseWarning,
    write: (warning) => warning,
  },
  archive: {
    name: 'archive',
    unset: false,
    read: (archive) => archive,
    write: (archive) => archive,
  },
};

/** Throws FIELD_INVALID for settings that do not go together. */
export function assertTogether({ ttl, archive }: TopicSettings): void {
  if (archive && ttl === EPHEMERAL) {
    throw fieldInvalid(
      'settings.archive',
      'means nothing of a topic whose ttl is ephemeral: its events are never archived',
    );
  }
}

/** A schema has up to 64 KiB: it is told by what tells it from others. */
function schemaInWords(text: string): string {
  if (text === '') return '';
  return `${Buffer.byteLength(text)} bytes, sha256 ${createHash('sha256').update(text).digest('hex')}`;
}

/** The compatibility of that number in the contract; 0: unset. */
export function readCompatibility(number: number, path: string): Compatibility {
  const found = number === 0 ? 'BACKWARD' : COMPATIBILITIES[number - 1];
  if (found === undefined) throw fieldInvalid(path, 'is not a compatibility');
  return found;
}

type SettingKey = keyof TopicSettings;

/** The settings, in the order of the list. */
export const SETTING_KEYS = Object.keys(TOPIC_SETTINGS) as SettingKey[];

/** What a topic has that nobody gave anything. */
export const UNSET_SETTINGS: TopicSettings = settingsOf((key) => TOPIC_SETTINGS[key].unset);

/** The settings that the fields give: what is not given is unset. FIELD_INVALID under `path` and the name of the setting. */
export function settingsFrom(fields: TopicSettingFields | undefined, path: string): TopicSettings {
  return fields === undefined ? UNSET_SETTINGS : settingsOf((key) => readField(key, fields, path));
}

/** The setting of this name, as the fields give it; undefined: there is no such setting. */
export function settingFrom(
  name: string,
  fields: TopicSettingFields,
  path: string,
): Partial<TopicSettings> | undefined {
  const key = SETTING_KEYS.find((one) => TOPIC_SETTINGS[one].name === name);
  return key && { [key]: readField(key, fields, path) };
}

/** The fields that say the settings. */
export function settingFields(settings: TopicSettings): TopicSettingFields {
  const entries = SETTING_KEYS.map((key) => [key, writeField(key, settings)]);
  return Object.fromEntries(entries) as TopicSettingFields;
}

/** A setting that has one value here and another one there, both as JSON and told in words. */
export interface SettingDifference {
  readonly name: string;
  readonly before: SettingValue;
  readonly after: SettingValue;
}

/** The settings that the two have otherwise, in the order of the list; empty when they are equal. */
export function settingDifferences(before: TopicSettings, after: TopicSettings): readonly SettingDifference[] {
  return SETTING_KEYS.filter((key) => !isEqual(before[key], after[key])).map((key) => ({
    name: TOPIC_SETTINGS[key].name,
    before: told(key, before),
    after: told(key, after),
  }));
}

/** The settings by their names in the contract, in words. */
export function settingsInWords(settings: TopicSettings): Readonly<Record<string, SettingValue>> {
  return Object.fromEntries(SETTING_KEYS.map((key) => [TOPIC_SETTINGS[key].name, told(key, settings)]));
}

/** What rows keep of the settings: those that are not unset, by their names. */
export function storedSettings(settings: TopicSettings): Readonly<Record<string, SettingValue>> {
  const kept = SETTING_KEYS.filter((key) => !isEqual(settings[key], UNSET_SETTINGS[key]));
  return Object.fromEntries(kept.map((key) => [TOPIC_SETTINGS[key].name, settings[key]]));
}

/** What rows keep otherwise once the settings are the others, by names; null: nothing any more. */
export function storedChanges(
  before: TopicSettings,
  after: TopicSettings,
): Readonly<Record<string, SettingValue | null>> {
  const kept = storedSettings(after);
  return Object.fromEntries(settingDifferences(before, after).map(({ name }) => [name, kept[name] ?? null]));
}

/** The settings that rows keep; what other servers know besides is passed over. */
export function restoredSettings(stored: Readonly<Record<string, unknown>>): TopicSettings {
  return settingsOf((key) => stored[TOPIC_SETTINGS[key].name] ?? UNSET_SETTINGS[key]);
}

function settingsOf(valueIn: (key: SettingKey) => unknown): TopicSettings {
  return Object.fromEntries(SETTING_KEYS.map((key) => [key, valueIn(key)])) as unknown as TopicSettings;
}

function readField<K extends SettingKey>(key: K, fields: TopicSettingFields, path: string): TopicSettings[K] {
  const { name, read } = TOPIC_SETTINGS[key];
  return read(fields[key], `${path}.${name}`);
}

function writeField<K extends SettingKey>(key: K, settings: TopicSettings): TopicSettingFields[K] {
  return TOPIC_SETTINGS[key].write(settings[key]);
}

function told<K extends SettingKey>(key: K, settings: TopicSettings): SettingValue {
  const { inWords } = TOPIC_SETTINGS[key];
  return inWords === undefined ? settings[key] : inWords(settings[key]);
}

function isEqual(one: SettingValue, other: SettingValue): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
