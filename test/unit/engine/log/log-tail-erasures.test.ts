// What is erased leaves the memory of an instance, which says so, and shows nothing from memory while it cannot know.

import { expect, it } from 'vitest';
import { type Erasure, subjectDigest } from '../../../../src/domain/erasure/erasure.js';
import { BLANK_ENVELOPE } from '../../../../src/domain/events/envelope.js';
import { EntryKind, type LogEntry } from '../../../../src/domain/events/event.js';
import { ErasureWatch } from '../../../../src/engine/erasure/erasure-watch.js';
import { Erasures } from '../../../../src/engine/erasure/erasures.js';
import type { StoredErasure } from '../../../../src/storage/ports/erasure-storage.js';
import { newTail } from '../../../support/events/log-tail.js';
import { ManualClock } from '../../../support/manual-clock.js';

const POLL_MS = 1_000;

function entryAt(position: number, dataSubject: string): LogEntry {
  const own = {
    position,
    eventId: position,
    kind: EntryKind.OCCURRED,
    sequence: 0,
    createdAt: position,
    messageId: '',
  };
  const payload = { contentType: '', bytes: Buffer.alloc(1_000, 'x') };
  return { ...BLANK_ENVELOPE, topic: 'orders', context: 'default', ...own, payload, rest: { dataSubject } };
}

class Scene {
  readonly clock = new ManualClock();
  readonly erasures = new Erasures();
  readonly acknowledged: number[] = [];
  stored: StoredErasure[] = [];
  isAway = false;
  head = { position: 0, createdAt: 0, epoch: 1, token: 0, deletedTo: 0, newestErasure: 0 };
  readonly #store = {
    since: async (position: number) =>
      this.stored.filter((erasure) => erasure.position > position || erasure.finishedAt === undefined),
    acknowledge: async (_instance: string, position: number) => {
      this.acknowledged.push(position);
    },
  };
  readonly #watch = new ErasureWatch({
    ...{ store: this.#store, erasures: this.erasures, instanceId: 'i', clock: this.clock },
  });
  readonly tail = newTail(
    {
      readHead: async () => {
        if (this.isAway) throw new Error('away');
        return this.head;
      },
    },
    { clock: this.clock, pollMs: POLL_MS, erasures: this.erasures, erasureWatch: this.#watch },
  );

  /** As another instance decides it. */
  erase(subject: string, position: number): void {
    const target: Erasure['target'] = { kind: 'subject', context: 'default', digest: subjectDigest(subject) };
    const more = { beforeEventId: position, doneTo: 0, events: 0, finishedAt: undefined };
    this.stored.push({ target, position, decidedAt: position, ...more });
    this.head = { ...this.head, newestErasure: position };
  }
}

it('goes from memory at the next look, and is acknowledged then', async () => {
  const scene = new Scene();
  await scene.tail.start();
  expect(scene.acknowledged).toEqual([0]);
  scene.tail.publish([entryAt(1, 'ann'), entryAt(2, 'bob')]);
  scene.erase('ann', 3);
  expect(scene.tail.at(1)?.payload).toBeDefined();
  await scene.clock.advance(POLL_MS);
  expect(scene.tail.at(1)).toMatchObject({ payload: undefined, rest: { erasedAt: 3 } });
  expect(scene.tail.at(2)?.payload).toBeDefined();
  expect(scene.acknowledged).toEqual([0, 3]);
  // What comes in later is not covered.
  scene.tail.publish([entryAt(3, 'audit'), entryAt(4, 'ann')]);
  expect(scene.erasures.shown(scene.tail.at(4) as LogEntry).payload).toBeDefined();
  await scene.tail.stop();
});

it('is loaded at the start as far as it goes on', async () => {
  const scene = new Scene();
  scene.erase('ann', 3);
  await scene.tail.start();
  expect(scene.erasures.shown(entryAt(1, 'ann')).payload).toBeUndefined();
  expect(scene.acknowledged).toEqual([3]);
  await scene.tail.stop();
});

it('is not shown from memory by who could not look for ten seconds, until it looks again', async () => {
  const scene = new Scene();
  await scene.tail.start();
  scene.tail.publish([entryAt(1, 'ann')]);
  scene.isAway = true;
  await scene.clock.advance(9_000);
  expect(scene.tail.at(1)).toBeDefined();
  expect(scene.tail.after(0, 10)).toHaveLength(1);
  await scene.clock.advance(2_000);
  expect(scene.tail.at(1)).toBeUndefined();
  expect(scene.tail.after(0, 10)).toBeUndefined();
  scene.isAway = false;
  scene.erase('ann', 3);
  await scene.clock.advance(POLL_MS);
  expect(scene.tail.at(1)).toMatchObject({ payload: undefined, rest: { erasedAt: 3 } });
  await scene.tail.stop();
});
