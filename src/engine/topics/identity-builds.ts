// Builds the identities of stored events by the new description paths of their topics, and then has pushes obey them.
//
// | state of a build | entered when | left when |
// |---|---|---|
// | under way | an update unit with other description paths has committed: pushes obey the former ones, and every group since adds identities by both | all that was stored before is looked at |
// | ended | an identified unit has committed: pushes obey the new ones | the paths are changed again |
// | gone | the paths are changed again, or the topic is unregistered, before it has ended | – |
//
// Misses nothing: an event is either at or below the position at which the update committed, and found by the build, or above it, and its
// group met the newer catalogue. How far it has come is stored with each page, so that any instance goes on where one was killed. Two that
// build the same one do not count a page twice: the second finds it stored, and leaves the build to the first for a while.

import { type DescriptionPaths, parseDescriptionPaths } from '../../domain/descriptions/description-paths.js';
import { entryBytes } from '../../domain/events/entry-size.js';
import { isJsonContentType, type LogEntry } from '../../domain/events/event.js';
import { identityOf } from '../../domain/group/group-plan-types.js';
import { scopedKey } from '../../domain/names.js';
import type { Clock, Timer } from '../../lib/clock.js';
import type { FairGate } from '../../lib/fair-gate.js';
import type { LoopSlices } from '../../lib/loop-slices.js';
import { SharedRun } from '../../lib/shared-run.js';
import type { EventLog } from '../../storage/ports/log-storage.js';
import type { IdentityPage, IdentityRow, IdentityStore, PendingBuild } from '../../storage/ports/topic-storage.js';
import type { Logger } from '../../telemetry.js';
import type { Millis, Position } from '../../units.js';
import type { GroupCommit } from '../group/group-commit.js';
import type { ShapeCatalogCache } from '../group/shape-catalog-cache.js';

/** How often it is looked for builds that another instance began, and left. */
const LOOK_MS: Millis = 5_000;
/** Pages of one build before it is another one's turn. */
const TURN_PAGES = 20;
const PAGE = { limit: 1_000, maxBytes: 4 * 1024 * 1024 };

export interface IdentityBuildsOptions {
  readonly store: IdentityStore;
  readonly catalog: Pick<ShapeCatalogCache, 'catchUp'>;
  readonly groupCommit: Pick<GroupCommit, 'submit'>;
  readonly log: Pick<EventLog, 'readPage'>;
  /** See LogReaderOptions. */
  readonly pages: FairGate;
  /** Shared by all who look at many payloads. */
  readonly slices: LoopSlices;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class IdentityBuilds {
  readonly #options: IdentityBuildsOptions;
  readonly #runs = new SharedRun(() => this.#run());
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: IdentityBuildsOptions) {
    this.#options = options;
  }

  start(): void {
    void this.goOn();
    this.#timer = this.#options.clock.every(LOOK_MS, () => void this.goOn()).unref();
  }

  /** Builds that are under way end with their page; what they did stays. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.stop();
    await this.#runs.run().catch(() => {});
  }

  /** Goes on with what is to be built; resolves when there is nothing more to do here, or it failed and is tried again later. */
  async goOn(): Promise<void> {
    if (this.#stopped) return;
    await this.#runs.run().catch((error) => this.#options.logger.debug({ err: error }, 'identities were not built'));
  }

  /** Builds take turns, so that a small one need not wait for a large one. */
  async #run(): Promise<void> {
    for (let hasMore = true; hasMore && !this.#stopped; ) {
      hasMore = false;
      for (const build of await this.#options.store.pending()) hasMore = (await this.#try(build)) || hasMore;
    }
  }

  /** One that fails is tried again later, and holds up no other. */
  async #try(build: PendingBuild): Promise<boolean> {
    try {
      return await this.#advance(build);
    } catch (error) {
      const { context, topic } = build;
      this.#options.logger.debug({ err: error, context, topic }, 'identities were not built');
      return false;
    }
  }

  /** Returns whether there is more to do for it here; false: it is done, or gone, or another instance is at it. */
  async #advance(build: PendingBuild): Promise<boolean> {
    const paths = parseDescriptionPaths(build.descriptionPaths, 'description_paths');
    let after = build.builtTo;
    for (let pages = 0; after < build.watchedAfter; pages += 1) {
      if (this.#stopped || pages === TURN_PAGES) return true;
      const page = await this.#page(build, paths, after);
      const { kind } = await this.#options.store.add(build, page);
      if (kind !== 'stored') return false;
      after = page.upTo;
    }
    await this.#end(build);
    return false;
  }

  async #page(build: PendingBuild, paths: DescriptionPaths, after: Position): Promise<IdentityPage> {
    const { log, pages, slices } = this.#options;
    const { context, topic, watchedAfter } = build;
    const caller = `identities of ${scopedKey(context, topic)}`;
    const span = { after, upTo: watchedAfter, ...PAGE };
    const page = await pages.run(caller, () => log.readPage({ context, topics: [topic] }, span));
    const rows: IdentityRow[] = [];
    let unidentified = 0;
    const look = (entry: LogEntry) => {
      if (entry.payload === undefined) return true;
      const digest = digestOf(entry, paths);
      if (digest === undefined) unidentified += 1;
      else rows.push({ digest, eventId: entry.eventId, position: entry.position });
      return true;
    };
    await slices.each(caller, { items: page.entries, bytesOf: entryBytes, look });
    return { after, upTo: page.scannedTo, rows, unidentified };
  }

  async #end({ context, topic, buildId }: PendingBuild): Promise<void> {
    const { groupCommit, catalog, logger } = this.#options;
    const outcome = await groupCommit.submit({ kind: 'identified', context, topic, buildId });
    if (outcome.kind === 'refused' || !outcome.isInForce) return;
    logger.info({ context, topic }, 'the events of the topic are identified by its new description paths');
    await catalog.catchUp((known) => known.registeredAs(context, topic)?.pending?.buildId !== buildId);
  }
}

/** What identifies the entry; undefined: its payload gives nothing. */
function digestOf({ context, topic, payload }: LogEntry, paths: DescriptionPaths): Uint8Array | undefined {
  if (payload === undefined || !isJsonContentType(payload.contentType)) return undefined;
  const description = paths.describeIfItCan(payload.bytes);
  return description && identityOf(context, topic, description).digest;
}
