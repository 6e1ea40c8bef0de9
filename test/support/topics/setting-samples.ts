// Values of each setting of a topic, as the fields of the contract give them: tests of all settings are made from these.

import fc from 'fast-check';
import { RetentionMode, TopicSettings as WireSettings } from '../../../generated/madeleine/v1/topic_service.js';
import {
  SETTING_KEYS,
  settingsFrom,
  type TopicSettingFields,
  type TopicSettings,
} from '../../../src/domain/topics/topic-settings.js';

interface SettingSamples<Field> {
  /** One or more, each of another value than the others and than unset. */
  readonly fields: readonly [Field, ...Field[]];
  /** Other fields that say the value of the first sample. */
  readonly same: readonly Field[];
  /** Fields that are refused, each with its path below the setting. */
  readonly bad: readonly (readonly [Field, string])[];
}

export const SETTING_SAMPLES: { readonly [K in keyof TopicSettings]: SettingSamples<TopicSettingFields[K]> } = {
  descriptionPaths: {
    fields: [['/order/id', '/state'], ['/id'], ['/ID'], ['/a,b', '/awkward ~1 ü']],
    same: [['/state', '/order/id']],
    bad: [
      [['id'], '[0]'],
      [['/a', ''], '[1]'],
      [Array.from({ length: 17 }, (_, n) => `/p${n}`), ''],
    ],
  },
  schema: {
    fields: ['{"type": "object"}', '{"type": "object", "required": ["id"]}', 'true'],
    same: ['{ "type" : "object" }'],
    bad: [
      ['{"type": "objekt"}', '/type'],
      ['{', ''],
    ],
  },
  compatibility: { fields: [3, 7], same: [], bad: [[8, '']] },
  ttl: {
    fields: ['24days', '36h', 'ephemeral'],
    same: ['576h', ' 24 Days'],
    bad: [
      ['soon', ''],
      ['0days', ''],
      ['-1h', ''],
      [`1${'0'.repeat(30)}years`, ''],
    ],
  },
  retentionMode: {
    fields: [RetentionMode.RETENTION_MODE_HOLD],
    same: [RetentionMode.RETENTION_MODE_HOLD],
    bad: [
      [3, ''],
      [-1, ''],
    ],
  },
  maxEventsPerStream: {
    fields: [1n, 1_000n, 1_000_000_000n],
    same: [],
    bad: [
      [1_000_000_001n, ''],
      [2n ** 64n - 1n, ''],
    ],
  },
  maxBytesPerStream: {
    fields: [1n, 1_048_576n, 1_000_000_000_000_000n],
    same: [],
    bad: [
      [1_000_000_000_000_001n, ''],
      [2n ** 64n - 1n, ''],
    ],
  },
  unreadWarning: {
    fields: ['3days', 'none', '90min'],
    same: ['72h', ' 3 Days'],
    bad: [
      ['soon', ''],
      ['0h', ''],
      ['-1h', ''],
    ],
  },
  archive: { fields: [true], same: [], bad: [] },
};

/** Some of the settings, each as one of its samples. */
export function anyFields(): fc.Arbitrary<Partial<TopicSettingFields>> {
  const parts = SETTING_KEYS.map((key) => [key, fc.constantFrom(...SETTING_SAMPLES[key].fields)]);
  return fc.record(Object.fromEntries(parts) as Record<string, fc.Arbitrary<unknown>>, { requiredKeys: [] });
}

/** The settings that the fields give, through the message as it is sent. */
export function settingsOf(fields: Partial<TopicSettingFields>): TopicSettings {
  const sent = WireSettings.encode(WireSettings.fromPartial(fields)).finish();
  return settingsFrom(WireSettings.decode(sent), 'settings');
}
