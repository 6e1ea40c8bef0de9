// The list of a topic's settings: every setting of the contract, whatever is given of them, is read, compared, kept in rows and told alike.

import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MadeleineError } from '../../src/domain/errors.js';
import {
  restoredSettings,
  SETTING_KEYS,
  settingDifferences,
  settingFields,
  settingsFrom,
  settingsInWords,
  storedSettings,
  TOPIC_SETTINGS,
  UNSET_SETTINGS,
} from '../../src/domain/topics/topic-settings.js';
import { descriptors } from '../support/contract/event-fields.js';
import { propertyParameters } from '../support/property.js';
import { anyFields, SETTING_SAMPLES, settingsOf } from '../support/topics/setting-samples.js';

const names = SETTING_KEYS.map((key) => TOPIC_SETTINGS[key].name);

describe('the settings of a topic', () => {
  it('are those of the contract', () => {
    const fields = descriptors.fields('madeleine.v1.TopicSettings').map(({ name }) => name);
    expect([...names].sort()).toEqual(fields.sort());
  });

  it('come back from the wire and from rows as they were', () => {
    const comesBack = (fields: object) => {
      const settings = settingsOf(fields);
      expect(settingsOf(settingFields(settings))).toEqual(settings);
      expect(restoredSettings(JSON.parse(JSON.stringify(storedSettings(settings))))).toEqual(settings);
      expect(Object.keys(settingsInWords(settings))).toEqual(names);
    };
    fc.assert(fc.property(anyFields(), comesBack), propertyParameters());
  });

  it('differ by the names of what is given otherwise, with both values', () => {
    const differs = (one: Readonly<Record<string, unknown>>, other: Readonly<Record<string, unknown>>) => {
      const [before, after] = [settingsOf(one), settingsOf(other)];
      const differences = settingDifferences(before, after);
      const differing = SETTING_KEYS.filter((key) => !isDeepStrictEqual(one[key], other[key]));
      expect(differences.map(({ name }) => name)).toEqual(differing.map((key) => TOPIC_SETTINGS[key].name));
      const [was, is] = [settingsInWords(before), settingsInWords(after)];
      for (const { name, ...values } of differences) expect(values).toEqual({ before: was[name], after: is[name] });
      expect(settingDifferences(after, before)).toHaveLength(differences.length);
    };
    fc.assert(fc.property(anyFields(), anyFields(), differs), propertyParameters());
  });

  it('are unset where nothing is given, which rows do not keep', () => {
    expect(settingsFrom(undefined, 'settings')).toEqual(UNSET_SETTINGS);
    expect(settingsOf({})).toEqual(UNSET_SETTINGS);
    expect(storedSettings(UNSET_SETTINGS)).toEqual({});
    expect(restoredSettings({ of_a_newer_server: 7 })).toEqual(UNSET_SETTINGS);
  });

  it.each(SETTING_KEYS)('have one form, and say which field is bad: %s', (key) => {
    const { fields, same, bad } = SETTING_SAMPLES[key];
    const first = settingsOf({ [key]: fields[0] });
    for (const field of same) expect(settingsOf({ [key]: field })).toEqual(first);
    for (const [field, path] of bad)
      expect(violations({ [key]: field })).toEqual([`settings.${TOPIC_SETTINGS[key].name}${path}`]);
  });
});

function violations(fields: object): readonly string[] {
  try {
    settingsOf(fields);
  } catch (error) {
    if (error instanceof MadeleineError) return error.violations.map(({ field }) => field);
    throw error;
  }
  return [];
}
