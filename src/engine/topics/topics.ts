// Topics: registering them, and what is told of them. What is told rests on durable rows only.

import { MadeleineError } from '../../domain/errors.js';
import { Subject } from '../../domain/events/subject.js';
import type { ManagementCall } from '../../domain/management/audit.js';
import type { Topic } from '../../domain/topics/topic.js';
import { settingsInWords, type TopicSettings } from '../../domain/topics/topic-settings.js';
import type { DurableReads } from '../../storage/ports/log-storage.js';
import type { ListTopicsOptions, TopicStore, TopicsRead } from '../../storage/ports/topic-storage.js';
import type { GroupCommit } from '../group/group-commit.js';
import type { Management } from '../group/management.js';
import type { ShapeCatalogCache } from '../group/shape-catalog-cache.js';
import type { LogTail } from '../log/log-tail.js';

export interface TopicsOptions {
  readonly store: TopicStore;
  readonly groupCommit: GroupCommit;
  readonly management: Pick<Management, 'entry'>;
  readonly catalog: ShapeCatalogCache;
  readonly durableReads: DurableReads;
  readonly tail: LogTail;
}

interface TopicKey {
  readonly context: string;
  readonly name: string;
}

export class Topics {
  readonly #options: TopicsOptions;
  /** Registrations up to this version of the catalogue are known to be durable. */
  #durableVersion = 0;

  constructor(options: TopicsOptions) {
    this.#options = options;
  }

  /**
   * Gives the topic these settings; pushes whose groups commit later obey them, on every instance. `created` is false when it has
   * them already; TOPIC_DIFFERS when it has others.
   */
  async register(
    { context, name }: TopicKey,
    settings: TopicSettings,
    { call, signal }: { readonly call: ManagementCall; readonly signal?: AbortSignal },
  ): Promise<{ readonly topic: Topic; readonly created: boolean }> {
    const { groupCommit, catalog, management } = this.#options;
    const about = { topic: name };
    const told = { entityType: 'topic', subject: Subject.CREATED, context, about, after: settingsInWords(settings) };
    const audit = management.entry(call, told);
    const outcome = await groupCommit.submit({ kind: 'register', context, topic: name, settings, audit }, signal);
    if (outcome.kind === 'refused') throw outcome.error;
    const { created } = outcome;
    // The next group would find out by itself, and have to begin again.
    await catalog.catchUp((known) => known.settingsOf(context, name) !== undefined).catch(() => {});
    return { topic: await this.get({ context, name }), created };
  }

  /** A topic that is registered or was used; TOPIC_UNKNOWN if it is neither. */
  async get({ context, name }: TopicKey): Promise<Topic> {
    const [topic] = await this.#durable(() => this.#options.store.find(context, name));
    if (topic === undefined) throw new MadeleineError('TOPIC_UNKNOWN', 'there is no such topic');
    return topic;
  }

  /** Topics that are registered or were used, by context and name in byte order. */
  async list(options: ListTopicsOptions): Promise<readonly Topic[]> {
    return this.#durable(() => this.#options.store.list(options));
  }

  async #durable(read: () => Promise<TopicsRead>): Promise<readonly Topic[]> {
    const { durableReads, tail } = this.#options;
    const { topics, catalogVersion } = await durableReads.durable(
      read,
      // A registration has no position of its own.
      (found) => found.position > tail.visible || found.catalogVersion > this.#durableVersion,
    );
    this.#durableVersion = Math.max(this.#durableVersion, catalogVersion);
    return topics;
  }
}
