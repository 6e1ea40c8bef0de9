// Contexts: what they are told to do with pushes to topics that nobody registered. What is told rests on durable rows only.

import { MadeleineError } from '../../domain/errors.js';
import { Subject } from '../../domain/events/subject.js';
import type { ManagementCall } from '../../domain/management/audit.js';
import { DEFAULT_CONTEXT } from '../../domain/names.js';
import {
  type ContextSettings,
  contextInWords,
  UNSET_CONTEXT,
  type UnregisteredTopics,
} from '../../domain/topics/context-settings.js';
import type { DurableReads } from '../../storage/ports/log-storage.js';
import type { ContextStore } from '../../storage/ports/topic-storage.js';
import type { GroupCommit } from '../group/group-commit.js';
import type { Management } from '../group/management.js';
import type { ShapeCatalogCache } from '../group/shape-catalog-cache.js';
import { changedAllTheTime, ROUNDS } from './change-rounds.js';

export interface ContextsOptions {
  readonly store: ContextStore;
  readonly groupCommit: Pick<GroupCommit, 'submit'>;
  readonly management: Pick<Management, 'entry'>;
  readonly catalog: Pick<ShapeCatalogCache, 'current'>;
  readonly durableReads: DurableReads;
  /** What becomes of pushes to topics that nobody registered, where their context says nothing. */
  readonly ofServer: UnregisteredTopics;
}

/** A context as it is told of. */
export interface ToldContext {
  readonly name: string;
  readonly settings: ContextSettings;
  /** What becomes of pushes to topics that nobody registered, on this server. */
  readonly inForce: UnregisteredTopics;
}

export class Contexts {
  readonly #options: ContextsOptions;

  constructor(options: ContextsOptions) {
    this.#options = options;
  }

  /** A context that anything was pushed to, or that has settings; the default one is always there. CONTEXT_UNKNOWN. */
  async get(name: string): Promise<ToldContext> {
    const { durableReads, store } = this.#options;
    // Settings have no position that could tell whether they are durable.
    const { settings = name === DEFAULT_CONTEXT ? UNSET_CONTEXT : undefined } = await durableReads.durable(
      () => store.find(name),
      () => true,
    );
    if (settings === undefined) {
      const message = `there is no context "${name}": nothing was pushed to it, and it has no settings`;
      throw new MadeleineError('CONTEXT_UNKNOWN', message, { metadata: { context: name } });
    }
    return this.#told(name, settings);
  }

  /** Gives the context the settings of the patch, and makes it if it is not there; pushes whose groups commit later obey them. */
  async update(
    name: string,
    patch: Partial<ContextSettings>,
    {
      call,
      signal,
      caller,
    }: { readonly call: ManagementCall; readonly signal?: AbortSignal; readonly caller?: string },
  ): Promise<ToldContext> {
    const { groupCommit, catalog, management } = this.#options;
    for (let round = 0; round < ROUNDS; round += 1) {
      const expected = catalog.current.contextSettings(name);
      const settings = { ...expected, ...patch };
      const values = { before: contextInWords(expected), after: contextInWords(settings) };
      const told = { entityType: 'context', subject: Subject.UPDATED, context: name, about: {}, ...values };
      const unit = { kind: 'context', context: name, expected, settings, audit: management.entry(call, told) } as const;
      const { effect } = await groupCommit.submit(unit, signal, caller);
      if (effect !== 'outdated') return this.#told(name, settings);
    }
    throw changedAllTheTime();
  }

  #told(name: string, settings: ContextSettings): ToldContext {
    return { name, settings, inForce: settings.unregisteredTopics ?? this.#options.ofServer };
  }
}
