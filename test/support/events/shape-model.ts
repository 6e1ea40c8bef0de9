// A database with waits and shapes in memory, whose transactions happen at once, and instances on it whose transactions come in an
// order that the test decides: each has its own catalogue, which may be old, and the real parts that make, use and drop shapes.

import type { Scheduler } from 'fast-check';
import { EntryKind, isJsonContentType, type LogEntry } from '../../../src/domain/events/event.js';
import type { OutcomeOf } from '../../../src/domain/group/group-outcomes.js';
import { planGroup } from '../../../src/domain/group/group-plan.js';
import { matchPushes, needsOf, waitKeyText } from '../../../src/domain/group/group-plan-needs.js';
import type {
  GroupUnit,
  GroupWrites,
  LockedWaits,
  PushedBefore,
  WaitNeeds,
  WaitWrites,
} from '../../../src/domain/group/group-plan-types.js';
import { type CatalogUpdate, ShapeCatalog, type WatchedShape } from '../../../src/domain/group/shape-catalog.js';
import { scopedKey } from '../../../src/domain/names.js';
import type { Wait } from '../../../src/domain/waits/wait.js';
import { Management } from '../../../src/engine/group/management.js';
import { Pushes } from '../../../src/engine/group/pushes.js';
import { ShapeCatalogCache } from '../../../src/engine/group/shape-catalog-cache.js';
import { ShapeDirectory } from '../../../src/engine/group/shape-directory.js';
import { ShapeIndex } from '../../../src/engine/group/shape-index.js';
import { systemClock } from '../../../src/lib/clock.js';
import { FairGate } from '../../../src/lib/fair-gate.js';
import { LoopSlices } from '../../../src/lib/loop-slices.js';
import { Uuid7Source } from '../../../src/lib/uuid7.js';
import type { ReadPageOptions } from '../../../src/storage/ports/log-storage.js';
import type { IndexPage } from '../../../src/storage/ports/wait-storage.js';
import { type Logger, Metrics } from '../../../src/telemetry.js';

export const CONTEXT = 'default';
export const TOPIC = 't';
/** Events that a page of a build looks at: few, so that much happens between pages. */
const PAGE_EVENTS = 2;
const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} };
const METRICS = new Metrics();

/** What is stored, and what each transaction does to it. */
export class ShapeDatabase {
  head = { position: 0, nextEventId: 1, createdAt: 0, nextShapeId: 1 };
  version = 1;
  readonly entries: LogEntry[] = [];
  readonly waits = new Map<number, Wait>();
  readonly shapes = new Map<number, WatchedShape>();
  readonly freed = new Set<number>();
  /** Index rows by shape: hash and position as one text. */
  readonly index = new Map<number, Set<string>>();
  readonly #pushed = new Map<string, PushedBefore>();

  /** What is stored now, under a version that was read before. */
  load(version = this.version): ShapeCatalog {
    const shapes = [...this.shapes.values()].map((shape) => ({ context: CONTEXT, topic: TOPIC, shape }));
    return ShapeCatalog.of(version, shapes, [], [...this.freed]);
  }

  /** Runs the unit as a group of its own; undefined: the catalogue is not the stored one. */
  run<U extends GroupUnit>(
    unit: U,
    catalog: ShapeCatalog,
  ): { readonly outcome: OutcomeOf<U>; readonly update: CatalogUpdate | undefined } | undefined {
    if (catalog.version !== this.version) return undefined;
    matchPushes([unit], catalog);
    const needs = needsOf([unit], true);
    const locked = {
      head: this.head,
      now: this.head.createdAt + 1,
      streams: new Map(),
      pushed: this.#pushed,
      waits: needs.waits && this.#locked(needs.waits),
    };
    const plan = planGroup(locked, [unit], catalog);
    this.#write(plan.writes);
    return { outcome: plan.outcomes[0] as OutcomeOf<U>, update: plan.writes.waits?.catalog };
  }

  readPage({ after, upTo }: ReadPageOptions) {
    const end = Math.min(upTo, after + PAGE_EVENTS);
    const entries = this.entries.filter(({ position }) => position > after && position <= end);
    return { entries: entries.filter(({ kind }) => kind === EntryKind.OCCURRED), scannedTo: end };
  }

  addPage(shapeId: number, { upTo, rows }: IndexPage): boolean {
    const shape = this.shapes.get(shapeId);
    if (shape === undefined) return false;
    for (const { hash, position } of rows) this.#rowsOf(shapeId).add(rowText(hash, position));
    this.shapes.set(shapeId, { ...shape, builtTo: Math.max(shape.builtTo, upTo) });
    return true;
  }

  clear(freedId: number, limit: number): boolean {
    const rows = this.#rowsOf(freedId);
    const taken = [...rows].slice(0, limit);
    for (const row of taken) rows.delete(row);
    if (taken.length === limit) return false;
    this.index.delete(freedId);
    this.freed.delete(freedId);
    return true;
  }

  /** The rows that a complete index of the shape has. */
  expectedRows(shape: WatchedShape): Set<string> {
    const { matcher } = ShapeCatalog.of(1, [{ context: CONTEXT, topic: TOPIC, shape }]).of(CONTEXT, TOPIC) ?? {};
    return new Set(
      this.entries.flatMap(({ payload, position }) =>
        payload === undefined || !isJsonContentType(payload.contentType)
          ? []
          : (matcher?.match(payload.bytes) ?? []).map(({ hash }) => rowText(hash, position)),
      ),
    );
  }

  #rowsOf(shapeId: number): Set<string> {
    const rows = this.index.get(shapeId) ?? new Set();
    this.index.set(shapeId, rows);
    return rows;
  }

  #locked({ keys, finds, eventIds, shapeIds }: WaitNeeds): LockedWaits {
    const open = [...this.waits.values()].filter(({ state }) => state === EntryKind.AWAITED);
    const byKey = new Map(open.map((wait) => [waitKeyText(wait.shapeId, wait.hash), wait]));
    const pick = <K, V>(wanted: readonly K[], of: (key: K) => V | undefined) =>
      wanted.flatMap((key) => {
        const value = of(key);
        return value === undefined ? [] : [[key, value] as const];
      });
    return {
      awaited: new Map(
        pick(
          keys.map(({ text }) => text),
          (text) => byKey.get(text),
        ),
      ),
      found: new Map(
        finds.flatMap(({ key, text }) => {
          const entry = this.entries.find(({ position }) => this.#rowsOf(key.shapeId).has(rowText(key.hash, position)));
          return entry === undefined ? [] : [[text, { eventId: entry.eventId, position: entry.position }] as const];
        }),
      ),
      identities: new Map(),
      events: new Map(pick(eventIds, (id) => ({ wait: this.waits.get(id), entries: this.entriesOf(id) }))),
      shapes: new Map(
        pick(shapeIds, (id) => {
          const shape = this.shapes.get(id);
          const deadlines = open.filter(({ shapeId }) => shapeId === id).map(({ expiresAt }) => expiresAt);
          const awaitedUntil = deadlines.length === 0 ? undefined : Math.max(...deadlines);
          return shape && { neededAt: shape.neededAt, awaitedUntil };
        }),
      ),
    };
  }

  entriesOf(eventId: number): LogEntry[] {
    const main = this.waits.get(eventId)?.endedById ?? eventId;
    return this.entries.filter((entry) => entry.eventId === main);
  }

  #write({ entries, head, waits }: GroupWrites): void {
    for (const { entry, digest } of entries) {
      this.entries.push(entry);
      const { eventId, position, issuer } = entry;
      this.#pushed.set(scopedKey(CONTEXT, entry.messageId), { eventId, position, issuer, digest });
    }
    this.head = head;
    if (waits !== undefined) this.#writeWaits(waits);
  }

  #writeWaits({ added, changed, ledger, indexed, catalog }: WaitWrites): void {
    for (const wait of [...added, ...changed]) this.waits.set(wait.eventId, wait);
    for (const { messageId, eventId, issuer, digest } of ledger) {
      this.#pushed.set(scopedKey(CONTEXT, messageId), { position: 0, eventId, issuer, digest });
    }
    for (const { key, position } of indexed) this.#rowsOf(key.shapeId).add(rowText(key.hash, position));
    if (catalog !== undefined) this.#recatalogue(catalog);
  }

  #recatalogue({ version, change }: CatalogUpdate): void {
    this.version = version;
    if (change.kind === 'watched') this.shapes.set(change.shape.id, change.shape);
    const done = change.kind === 'ready' ? this.shapes.get(change.shapeId) : undefined;
    if (done !== undefined) this.shapes.set(done.id, { ...done, ready: true, builtTo: done.watchedAfter });
    for (const id of change.kind === 'dropped' ? change.shapeIds : []) {
      this.shapes.delete(id);
      this.freed.add(id);
    }
  }
}

function rowText(hash: Uint8Array, position: number): string {
  return `${Buffer.from(hash).toString('hex')}@${position}`;
}

/** One instance: the parts of the engine that have to do with shapes. */
export class ShapeInstance {
  readonly pushes: Pushes;
  readonly shapes: ShapeDirectory;
  readonly #database: ShapeDatabase;
  readonly #scheduler: Scheduler;
  readonly catalog: ShapeCatalogCache;

  constructor(database: ShapeDatabase, scheduler: Scheduler) {
    this.#database = database;
    this.#scheduler = scheduler;
    const groupCommit = { submit: <U extends GroupUnit>(unit: U) => this.#submit(unit) };
    const catalog = new ShapeCatalogCache({
      store: { load: () => this.#load() },
      durableReads: { durable: (read) => read() },
    });
    this.catalog = catalog;
    const events = {
      byId: (id: number | bigint) =>
        this.#after('read', () => database.entriesOf(Number(id))[0] ?? this.#awaited(Number(id))),
    };
    this.shapes = new ShapeDirectory({
      store: { list: async () => [] },
      catalog,
      groupCommit,
      management: new Management({ groupCommit, uuids: new Uuid7Source(() => 0) }),
      durableReads: { durable: (read) => read() },
    });
    this.pushes = new Pushes({
      discards: { note() {}, isUnregistered: () => false },
      groupCommit,
      shapes: new ShapeIndex({
        store: {
          index: (shapeId, page) => this.#after('page', () => database.addPage(shapeId, page)),
          positionBefore: async () => 0,
        },
        catalog,
        groupCommit,
        release: { makeRoom: async () => {} },
        uses: { note() {}, idle: async () => {} },
        log: {
          readPage: (_criteria, options) => this.#after('read', () => database.readPage(options)),
          positionAt: async () => 0,
        },
        pages: new FairGate(2),
        slices: new LoopSlices(),
        clock: systemClock,
        logger: SILENT,
      }),
      lookBack: { from: async () => ({ since: 0, after: 0 }) },
      events,
      reader: { readAt: async (positions) => database.entries.filter(({ position }) => positions.includes(position)) },
      tail: { reach: async () => {} },
      uuids: new Uuid7Source(() => Date.now()),
      metrics: METRICS,
    });
  }

  /** Lets others go first. */
  wait(): Promise<void> {
    return this.#after('wait', () => {});
  }

  /** Clears a little of what was freed. */
  clear(freedId: number): Promise<boolean> {
    return this.#after('clear', () => this.#database.clear(freedId, 1));
  }

  /** The version first, the rows later; they are there later still. */
  async #load(): Promise<ShapeCatalog> {
    const version = await this.#after('version', () => this.#database.version);
    const loaded = await this.#after('load', () => this.#database.load(version));
    return this.#after('loaded', () => loaded);
  }

  /** As GroupCommit does, without a queue. */
  async #submit<U extends GroupUnit>(unit: U): Promise<OutcomeOf<U>> {
    for (;;) {
      const planned = this.catalog.current;
      const done = await this.#after(unit.kind, () => this.#database.run(unit, planned));
      if (done !== undefined) {
        // The answer to COMMIT may take its time.
        await this.wait();
        if (done.update !== undefined) this.catalog.committed(planned, done.update);
        return done.outcome;
      }
      if (this.catalog.current.version === planned.version) await this.catalog.reload();
    }
  }

  #awaited(id: number): LogEntry | undefined {
    const wait = this.#database.waits.get(id);
    if (wait === undefined) return undefined;
    const { envelope, messageId, createdAt, eventId } = wait;
    return {
      ...envelope,
      eventId,
      messageId,
      createdAt,
      kind: wait.state,
      position: 0,
      sequence: 0,
      payload: undefined,
    };
  }

  /** Does the work when the test says so. */
  #after<T>(label: string, work: () => T): Promise<T> {
    return this.#scheduler.schedule(Promise.resolve(), label).then(work);
  }
}
