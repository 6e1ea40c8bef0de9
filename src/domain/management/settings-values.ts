// The settings of a consumer as entries of the audit have them: in words, by the names of the contract.

import { type ConsumerSettings, RETRY_BACKOFF_NAMES, SETTING_NAMES, settingsInWords } from '../consumers/consumer.js';
import { filterInWords } from '../consumers/settings/consumer-filter.js';
import type { AuditValues } from './audit.js';

/** All of the settings; of the filter, what is set. */
export function settingsValues(settings: ConsumerSettings): AuditValues {
  const { filter, retryBackoff, ...rest } = settingsInWords(settings);
  return {
    ...renamed(rest, SETTING_NAMES),
    // Whichever field said it: `where` can say all.
    where: filterInWords(filter),
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

function renamed(values: object, names: Readonly<Record<string, string>>): AuditValues {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [names[name] ?? name, value]));
}

function only(values: AuditValues, names: readonly string[]): AuditValues {
  return Object.fromEntries(names.map((name) => [name, values[name]]));
}
