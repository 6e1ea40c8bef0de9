// A topic as it is known: by its name, which the first event in it makes, and by what it was registered with.

import type { Micros } from '../../units.js';
import { parseDescriptionPaths } from '../descriptions/description-paths.js';

/** What a topic is registered with. Settings are compared as they are: make them by `topicSettings`. */
export interface TopicSettings {
  /** JSON Pointers to what identifies an event of the topic, sorted; empty: nothing does. */
  readonly descriptionPaths: readonly string[];
}

export interface Topic {
  readonly context: string;
  readonly name: string;
  /** Undefined: it was used, nobody registered it. */
  readonly registration: { readonly settings: TopicSettings; readonly registeredAt: Micros } | undefined;
}

/** The settings in their one form; FIELD_INVALID under `field` and the name of the setting for what cannot be one. */
export function topicSettings(given: TopicSettings, field: string): TopicSettings {
  const { pointers } = parseDescriptionPaths(given.descriptionPaths, `${field}.description_paths`);
  return { descriptionPaths: [...pointers].sort() };
}

/** The settings that differ, by the names that they have in the contract. */
export function differingSettings(one: TopicSettings, other: TopicSettings): readonly string[] {
  return JSON.stringify(one.descriptionPaths) === JSON.stringify(other.descriptionPaths) ? [] : ['description_paths'];
}
