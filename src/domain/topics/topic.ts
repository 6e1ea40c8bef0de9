// A topic as it is known: by its name, which the first event in it makes, and by what it was registered with.

import type { Micros } from '../../units.js';
import type { IdentityBuild } from './identity-build.js';
import type { StoredTopic } from './stored-topic.js';
import type { TopicSettings } from './topic-settings.js';

/** What is stored of a registration. */
export interface Registration {
  readonly settings: TopicSettings;
  readonly registeredAt: Micros;
  /** The last build of its identities; undefined: there was none since its description paths were changed last. */
  readonly build: IdentityBuild | undefined;
}

export interface Topic {
  readonly context: string;
  readonly name: string;
  /** Undefined: it was used, nobody registered it. */
  readonly registration: Registration | undefined;
}

/** A topic with what is stored of it. */
export interface ToldTopic extends Topic {
  /** Undefined: there is no such topic yet. */
  readonly stored: StoredTopic | undefined;
}
