// Pushes of one call, decoded in slices of the event loop while others push: counted in pushes without others having had the loop.

import { describe, expect, it } from 'vitest';
import type { NewEvent } from '../../../generated/madeleine/v1/event.js';
import { PushEventsRequest } from '../../../generated/madeleine/v1/event_service.js';
import { MadeleineError } from '../../../src/domain/errors.js';
import { ShapeCatalog } from '../../../src/domain/group/shape-catalog.js';
import { PayloadChecks } from '../../../src/engine/group/payload-checks.js';
import { splitPushes } from '../../../src/grpc/events/push-decoder.js';
import { PushReader } from '../../../src/grpc/events/push-reader.js';
import { Callers } from '../../../src/lib/callers.js';
import { systemClock } from '../../../src/lib/clock.js';
import { LoopSlices } from '../../../src/lib/loop-slices.js';
import { jsonPayload, newEvent } from '../../support/events/builders.js';
import { costlyCatalog } from '../../support/schemas/costly-schema.js';

const LIMITS = { maxEventBytes: 262_144 };

function encoded(event: Partial<NewEvent>, count: number): Buffer[] {
  const events = Array.from({ length: count }, () => ({ event: newEvent(event) }));
  return splitPushes(PushEventsRequest.encode(PushEventsRequest.fromPartial({ events })).finish());
}

/** A reader whose caller is alone, or has a neighbour. */
function readerOf(
  { neighbour }: { readonly neighbour: boolean },
  catalog: ShapeCatalog = ShapeCatalog.of(0, []),
): PushReader {
  const callers = new Callers(systemClock);
  callers.note('me');
  if (neighbour) callers.note('other');
  return new PushReader({
    slices: new LoopSlices(),
    limits: LIMITS,
    callers,
    checks: new PayloadChecks({ current: catalog }),
  });
}

/** How often the event loop was left to others. */
async function roundsOf(work: Promise<unknown>): Promise<number> {
  let rounds = 0;
  let isDone = false;
  const count = () => {
    rounds += 1;
    if (!isDone) setImmediate(count);
  };
  setImmediate(count);
  await work;
  isDone = true;
  return rounds;
}

const WIDE = { payload: jsonPayload(Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`key ${n}`, n]))) };

describe('a large call', () => {
  it.each([
    ['a thousand small events', encoded({}, 1_000), 8],
    ['ten of a thousand paths', encoded(WIDE, 10), 8],
  ])('leaves the loop to others while they push: %s', async (_, pushes, least) => {
    expect(await roundsOf(readerOf({ neighbour: true }).read(pushes, 'me'))).toBeGreaterThanOrEqual(least);
  });

  it('is read in one go by who is alone', async () => {
    expect(await roundsOf(readerOf({ neighbour: false }).read(encoded({}, 1_000), 'me'))).toBe(0);
  });
});

describe('pushes that take long to be held against their schema', () => {
  const pushes = encoded({ topic: 'costly', payload: jsonPayload(1) }, 20);
  const catalog = costlyCatalog('costly', 1);

  it.each([true, false])('leave the loop to others, however small they are (neighbour: %s)', async (neighbour) => {
    const reads = readerOf({ neighbour }, catalog).read(pushes, 'me');
    expect(await roundsOf(reads)).toBeGreaterThanOrEqual(15);
    expect((await reads).map(({ command }) => command instanceof MadeleineError)).toEqual(Array(20).fill(false));
  });
});

describe('either way', () => {
  it.each([false, true])(
    'the pushes come in order, each with its command or its fault (neighbour: %s)',
    async (neighbour) => {
      const pushes = [...encoded({ topic: 'a' }, 40), ...encoded({ topic: '' }, 1), ...encoded({ topic: 'b' }, 40)];
      const reads = await readerOf({ neighbour }).read(pushes, 'me');
      expect(reads.map(({ push }) => push.event?.draft.topic)).toEqual([
        ...Array(40).fill('a'),
        '',
        ...Array(40).fill('b'),
      ]);
      const faults = reads.flatMap(({ command }) => (command instanceof MadeleineError ? [command] : []));
      expect(faults.flatMap(({ violations }) => violations.map(({ field }) => field))).toEqual([
        'events[40].event.topic',
      ]);
    },
  );

  it.each([false, true])('bytes that are no push are refused (neighbour: %s)', async (neighbour) => {
    const pushes = [...encoded({}, 40), Buffer.from([0x0a, 5, 1])];
    await expect(readerOf({ neighbour }).read(pushes, 'me')).rejects.toMatchObject({ reason: 'FIELD_INVALID' });
  });

  it('a call that is cancelled is not read to its end', async () => {
    const gone = AbortSignal.abort(new Error('gone'));
    await expect(readerOf({ neighbour: true }).read(encoded({}, 1_000), 'me', gone)).rejects.toThrow('gone');
  });
});
