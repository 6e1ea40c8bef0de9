// What of the queue one caller may have while others push: counted in events that are committed before theirs, and in places.

import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { BLANK_ENVELOPE } from '../../../../src/domain/events/envelope.js';
import type { PushUnit } from '../../../../src/domain/group/group-plan-types.js';
import { GroupCommit } from '../../../../src/engine/group/group-commit.js';
import { ShapeCatalogCache } from '../../../../src/engine/group/shape-catalog-cache.js';
import type { LogTail } from '../../../../src/engine/log/log-tail.js';
import { Callers } from '../../../../src/lib/callers.js';
import { systemClock } from '../../../../src/lib/clock.js';
import type { GroupCommitter, GroupRun } from '../../../../src/storage/ports/log-storage.js';
import { Metrics } from '../../../../src/telemetry.js';

const MAX_EVENTS = 20_000;
const MAX_BYTES = 64 * 1024 * 1024;
const NOBODY = new AbortController().signal;

/** A database that commits what it is told, a group a turn of the event loop. */
class FakeCommitter implements GroupCommitter {
  readonly #log: string[];

  constructor(log: string[]) {
    this.#log = log;
  }

  async run(group: GroupRun): Promise<readonly []> {
    group.onLocked();
    await new Promise((turn) => setImmediate(turn));
    const { entries } = group.decide({
      head: { position: this.#log.length, nextEventId: this.#log.length + 1, createdAt: 1, nextShapeId: 1 },
      now: 2,
      streams: new Map(),
      pushed: new Map(),
      waits: undefined,
    });
    this.#log.push(...entries.map(({ entry }) => entry.topic));
    return [];
  }

  async close(): Promise<void> {}
}

/** A queue over it, and the topics of what was committed, in order. */
class Scene {
  readonly log: string[] = [];
  readonly refused: string[] = [];
  readonly commit = new GroupCommit({
    committers: [new FakeCommitter(this.log)],
    tail: { publish: () => {}, visible: 0 } as unknown as LogTail,
    catalog: new ShapeCatalogCache({
      store: { load: () => Promise.reject() },
      durableReads: { durable: (read) => read() },
    }),
    callers: new Callers(systemClock),
    clock: systemClock,
    random: Math.random,
    maxGroupBytes: 6 * 1024 * 1024,
    maxQueuedEvents: MAX_EVENTS,
    maxQueuedBytes: MAX_BYTES,
    metrics: new Metrics(),
    logger: pino({ level: 'silent' }),
  });
  #pushed = 0;

  /** Pushes events in units of a size, all at once; their topic is the caller's name. */
  push(caller: string, { size, units, bytes = 10 }: { size: number; units: number; bytes?: number }): Promise<unknown> {
    const submitted = Array.from({ length: units }, () =>
      this.commit.submit(this.#unit(caller, size, bytes), NOBODY, caller).catch(() => this.refused.push(caller)),
    );
    return Promise.all(submitted);
  }

  #unit(topic: string, size: number, bytes: number): PushUnit {
    const payload = { contentType: 'text/plain', bytes: new Uint8Array(bytes) };
    const draft = {
      ...BLANK_ENVELOPE,
      context: 'default',
      topic,
      issuer: 'i',
      messageId: '',
      payload,
      description: undefined,
    };
    const pushes = Array.from({ length: size }, () => {
      this.#pushed += 1;
      return { draft, expectedSequence: undefined, messageId: `m${this.#pushed}`, digest: undefined };
    });
    return { kind: 'push', atomic: true, pushes };
  }
}

const FLOODS = { 'single events': { size: 1, units: 10_000 }, 'batches of 1,000': { size: 1_000, units: 10 } };

describe.each(Object.entries(FLOODS))('beside a caller that floods with %s', (_, flood) => {
  it('another one’s events come with the next groups', async () => {
    const scene = new Scene();
    const flooded = scene.push('many', flood);
    await scene.push('few', { size: 1, units: 10 });
    // What was admitted and in groups by then, and one turn; of 10,000 that were there before.
    expect(scene.log.lastIndexOf('few')).toBeLessThanOrEqual(3_100);
    await flooded;
    expect(scene.log).toHaveLength(10_010);
  });

  it('another one that pushes again and again finds a short queue', async () => {
    const scene = new Scene();
    const flooded = scene.push('many', flood);
    await scene.push('few', { size: 1, units: 1 });
    const before = scene.log.length;
    await scene.push('few', { size: 1, units: 1 });
    expect(scene.log.lastIndexOf('few') - before).toBeLessThanOrEqual(2_600);
    await flooded;
  });
});

describe('the places', () => {
  it('of events are half of one caller’s at most: others find theirs', async () => {
    const scene = new Scene();
    const flooded = scene.push('many', { size: 1, units: MAX_EVENTS });
    const others = scene.push('few', { size: 1, units: 100 });
    await Promise.all([flooded, others]);
    expect(scene.refused.filter((caller) => caller === 'many')).toHaveLength(MAX_EVENTS / 2);
    expect(scene.refused).not.toContain('few');
  });

  it('of bytes as well', async () => {
    const scene = new Scene();
    const flooded = scene.push('many', { size: 1, units: 100, bytes: 1024 * 1024 });
    const others = scene.push('few', { size: 1, units: 10, bytes: 1024 * 1024 });
    await Promise.all([flooded, others]);
    expect(scene.refused.filter((caller) => caller === 'many').length).toBeGreaterThanOrEqual(68);
    expect(scene.refused).not.toContain('few');
  });

  it('are waited for by who can wait, and not by others', async () => {
    const scene = new Scene();
    const flooded = scene.push('many', { size: 1, units: MAX_EVENTS / 2 });
    let hasRoom = false;
    const room = scene.commit.whenRoom(NOBODY, 'many').then(() => {
      hasRoom = true;
    });
    await scene.commit.whenRoom(NOBODY, 'few');
    expect(hasRoom).toBe(false);
    await Promise.all([flooded, room]);
  });
});
