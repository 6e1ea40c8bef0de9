// A topic as it is known: by its name, which the first event in it makes, and by what it was registered with.

import type { Micros } from '../../units.js';
import type { TopicSettings } from './topic-settings.js';

export interface Topic {
  readonly context: string;
  readonly name: string;
  /** Undefined: it was used, nobody registered it. */
  readonly registration: { readonly settings: TopicSettings; readonly registeredAt: Micros } | undefined;
}
