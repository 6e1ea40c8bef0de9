// Topics: registering them, changing and taking away what they are registered with, and what is told of them. What is told rests on durable
// rows only.

import { MadeleineError } from '../../domain/errors.js';
import { Subject } from '../../domain/events/subject.js';
import { topicUnregistered } from '../../domain/group/group-plan-topics.js';
import type { Push } from '../../domain/group/group-plan-types.js';
import type { AuditedChange, ManagementCall } from '../../domain/management/audit.js';
import { JsonSchema } from '../../domain/schemas/json-schema.js';
import { limits } from '../../domain/schemas/schema-limits.js';
import type { ToldTopic, Topic } from '../../domain/topics/topic.js';
import {
  assertTogether,
  type SettingDifference,
  settingDifferences,
  settingsInWords,
  type TopicSettings,
  UNSET_SETTINGS,
} from '../../domain/topics/topic-settings.js';
import type { Clock } from '../../lib/clock.js';
import { within } from '../../lib/within.js';
import type { DurableReads } from '../../storage/ports/log-storage.js';
import type { ListTopicsOptions, TopicStore, TopicsRead } from '../../storage/ports/topic-storage.js';
import type { Millis } from '../../units.js';
import type { GroupCommit } from '../group/group-commit.js';
import type { Management } from '../group/management.js';
import type { ShapeCatalogCache } from '../group/shape-catalog-cache.js';
import type { LogTail } from '../log/log-tail.js';
import { changedAllTheTime, ROUNDS } from './change-rounds.js';
import type { IdentityBuilds } from './identity-builds.js';
import type { SchemaJudge } from './schema-judge.js';

/** How long a change of description paths waits for its identities. */
const BUILD_PATIENCE_MS: Millis = 1_000;

export interface TopicsOptions {
  readonly store: TopicStore;
  readonly groupCommit: Pick<GroupCommit, 'submit'>;
  readonly management: Pick<Management, 'entry'>;
  readonly catalog: Pick<ShapeCatalogCache, 'current' | 'catchUp' | 'reload'>;
  readonly builds: Pick<IdentityBuilds, 'goOn'>;
  readonly clock: Clock;
  readonly judge: SchemaJudge;
  readonly durableReads: DurableReads;
  readonly tail: Pick<LogTail, 'visible'>;
}

interface TopicKey {
  readonly context: string;
  readonly name: string;
}

interface ManagedBy {
  readonly call: ManagementCall;
  /** Callers take turns. */
  readonly caller?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ChangedBy extends ManagedBy {
  /** Whether it only says what would become of the topic. */
  readonly dryRun: boolean;
}

/** A topic as it is after a call, and what that changed; for a dry run as it would be. */
export interface ChangedTopic {
  readonly topic: ToldTopic;
  readonly changes: readonly SettingDifference[];
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
    key: TopicKey,
    settings: TopicSettings,
    by: ChangedBy,
  ): Promise<ChangedTopic & { readonly created: boolean }> {
    const { call, signal, caller, dryRun } = by;
    const { groupCommit, catalog } = this.#options;
    const { context, name: topic } = key;
    assertTogether(settings);
    const after = settingsInWords(settings);
    const audit = dryRun ? undefined : this.#entry(call, key, { subject: Subject.CREATED, after });
    // Of a topic that is registered the other schema is told, whatever it is.
    const isKnown = catalog.current.settingsOf(context, topic) !== undefined;
    const latestSchema = isKnown ? undefined : await this.#comparedWith(key, settings, by);
    const unit = { kind: 'register', context, topic, settings, latestSchema, audit, dryRun } as const;
    const outcome = await groupCommit.submit(unit, signal, caller);
    if (outcome.kind === 'refused') throw outcome.error;
    const { created } = outcome;
    const changes = created ? settingDifferences(UNSET_SETTINGS, settings) : [];
    if (dryRun && created) {
      const [used = { ...key, registration: undefined, stored: undefined }] = await this.#told(await this.#find(key));
      return { topic: asIf(used, settings), created, changes };
    }
    // The next group would find out by itself, and have to begin again.
    await catalog.catchUp((known) => known.settingsOf(context, topic) !== undefined).catch(() => {});
    return { topic: await this.get(key), created, changes };
  }

  /**
   * Gives the topic the settings of the patch, and leaves the others; pushes whose groups commit later obey them, but for description
   * paths, which have to be built first. TOPIC_UNKNOWN; TOPIC_UNREGISTERED.
   */
  async update(key: TopicKey, patch: Partial<TopicSettings>, by: ChangedBy): Promise<ChangedTopic> {
    const { call, signal, caller, dryRun } = by;
    const { groupCommit, builds, clock } = this.#options;
    const { context, name: topic } = key;
    for (let round = 0; round < ROUNDS; round += 1) {
      const expected = await this.#knownSettings(key);
      const settings = { ...expected, ...patch };
      assertTogether(settings);
      const changes = settingDifferences(expected, settings);
      const latestSchema = await this.#comparedWith(key, settings, by);
      const audit = dryRun
        ? undefined
        : this.#entry(call, key, { subject: Subject.UPDATED, ...beforeAndAfter(changes) });
      const outcome = await groupCommit.submit(
        { kind: 'update', context, topic, expected, settings, latestSchema, audit, dryRun },
        signal,
        caller,
      );
      if (outcome.kind === 'refused') throw await this.#unregistered(key);
      if (outcome.effect === 'outdated') continue;
      if (dryRun) return { topic: asIf(await this.get(key), settings), changes };
      // What is small is built by then; what is not goes on without the caller.
      if ('descriptionPaths' in patch) await within(clock, BUILD_PATIENCE_MS, builds.goOn(), () => undefined);
      return { topic: await this.get(key), changes };
    }
    throw changedAllTheTime();
  }

  /** Takes the settings away; events, waits and what they were identified by stay. TOPIC_UNKNOWN; TOPIC_UNREGISTERED. */
  async unregister(key: TopicKey, { call, signal, caller }: ManagedBy): Promise<void> {
    const { context, name: topic } = key;
    for (let round = 0; round < ROUNDS; round += 1) {
      const expected = await this.#knownSettings(key);
      const audit = this.#entry(call, key, { subject: Subject.DELETED, before: settingsInWords(expected) });
      const unit = { kind: 'unregister', context, topic, expected, audit } as const;
      const outcome = await this.#options.groupCommit.submit(unit, signal, caller);
      if (outcome.kind === 'refused') throw await this.#unregistered(key);
      if (outcome.effect === 'changed') return;
    }
    throw changedAllTheTime();
  }

  /** A topic that is registered or was used; TOPIC_UNKNOWN if it is neither. */
  async get(key: TopicKey): Promise<ToldTopic> {
    const [topic] = await this.#told(await this.#find(key));
    if (topic === undefined) throw topicUnknown(key);
    return topic;
  }

  /** What the topic is registered with; undefined: it is not. */
  async settingsOf(key: TopicKey): Promise<TopicSettings | undefined> {
    const [topic] = await this.#find(key);
    return topic?.registration?.settings;
  }

  /** Topics that are registered or were used, by context and name in byte order. */
  async list(options: ListTopicsOptions): Promise<readonly ToldTopic[]> {
    return this.#told(await this.#durable(() => this.#options.store.list(options)));
  }

  #find({ context, name }: TopicKey): Promise<readonly Topic[]> {
    return this.#durable(() => this.#options.store.find(context, name));
  }

  /** The topics with what is stored of them: what is durable by now. */
  async #told(topics: readonly Topic[]): Promise<readonly ToldTopic[]> {
    const { store, tail } = this.#options;
    const stored = await store.stored(topics, tail.visible);
    return topics.map((topic, index) => ({ ...topic, stored: stored[index] }));
  }

  /** The settings as this instance knows them: under the head row they may be others. */
  async #knownSettings(key: TopicKey): Promise<TopicSettings> {
    const { catalog } = this.#options;
    const { context, name } = key;
    const known = catalog.current.settingsOf(context, name);
    if (known !== undefined) return known;
    // Loading costs as much as there are topics and shapes: one row says whether there is anything to load.
    if ((await this.settingsOf(key)) !== undefined) await catalog.reload();
    const settings = catalog.current.settingsOf(context, name);
    if (settings === undefined) throw await this.#unregistered(key);
    return settings;
  }

  /**
   * Compares the schema of the settings with those before it, if it is a new one; returns the latest of them. SCHEMA_INCOMPATIBLE; QUOTA
   * for more versions than a topic may have.
   */
  async #comparedWith(
    { context, name }: TopicKey,
    { schema, compatibility }: TopicSettings,
    { caller = '', signal }: ManagedBy,
  ): Promise<number> {
    const { catalog, judge } = this.#options;
    const schemas = catalog.current.schemasOf(context, name);
    const { latest } = schemas;
    if (schema !== '' && schema !== latest?.text) {
      if (schemas.versions.length >= limits.versions) throw tooManyVersions();
      const fresh = JsonSchema.parse(schema, 'settings.schema');
      await judge.assertCompatible(fresh, schemas, { compatibility, caller, signal });
    }
    return latest?.version ?? 0;
  }

  /** Why there is nothing to change. */
  async #unregistered(key: TopicKey): Promise<MadeleineError> {
    const [topic] = await this.#find(key);
    return topic === undefined ? topicUnknown(key) : topicUnregistered(topic.context, topic.name);
  }

  #entry(call: ManagementCall, { context, name }: TopicKey, change: TopicChange): Push {
    return this.#options.management.entry(call, { entityType: 'topic', context, about: { topic: name }, ...change });
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

type TopicChange = Pick<AuditedChange, 'subject' | 'before' | 'after'>;

function beforeAndAfter(changes: readonly SettingDifference[]): Pick<TopicChange, 'before' | 'after'> {
  const values = (side: 'before' | 'after') => Object.fromEntries(changes.map((change) => [change.name, change[side]]));
  return { before: values('before'), after: values('after') };
}

/** The topic as it would be; the time of a registration that would be is 0. */
function asIf({ registration, ...topic }: ToldTopic, settings: TopicSettings): ToldTopic {
  return { ...topic, registration: { registeredAt: 0, build: undefined, ...registration, settings } };
}

function topicUnknown({ context, name: topic }: TopicKey): MadeleineError {
  const message = `there is no topic "${topic}" in context "${context}": nobody registered it, or pushed to it`;
  return new MadeleineError('TOPIC_UNKNOWN', message, { metadata: { context, topic } });
}

function tooManyVersions(): MadeleineError {
  return new MadeleineError('QUOTA', `the topic has had ${limits.versions} schemas already`);
}
