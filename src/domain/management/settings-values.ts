// The settings of a consumer as entries of the audit have them: in words, by the names of the contract.

import {
  type ConsumerFilter,
  type ConsumerSettings,
  FILTER_NAMES,
  RETRY_BACKOFF_NAMES,
  SETTING_NAMES,
  settingsInWords,
} from '../consumers/consumer.js';
import type { AuditValues } from './audit.js';

/** All of the settings; of the filter, what is set. */
export function settingsValues(settings: ConsumerSettings): AuditValues {
  const { filter, retryBackoff, ...rest } = settingsInWords(settings);
  return {
    ...renamed({ ...rest, filter: renamed(withoutUnset(filter), FILTER_NAMES) }, SETTING_NAMES),
    retry_backoff: renamed(retryBackoff, RETRY_BACKOFF_NAMES),
  };
}

/** The settings that a change makes other ones, before and after it. */
export function changedSettings(
  former: ConsumerSettings,
  settings: ConsumerSettings,
): { readonly before: AuditValues; readonly after: AuditValues } {
  const [before, after] = [settingsValues(former), settingsValues(settings)];
  const changed = Object.keys(after).filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
  return { before: only(before, changed), after: only(after, changed) };
}

function withoutUnset(filter: { readonly [Name in keyof ConsumerFilter]: unknown }) {
  return Object.fromEntries(
    Object.entries(filter).filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0)),
  );
}

function renamed(values: object, names: Readonly<Record<string, string>>): AuditValues {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [names[name] ?? name, value]));
}

function only(values: AuditValues, names: readonly string[]): AuditValues {
  return Object.fromEntries(names.map((name) => [name, values[name]]));
}
