// Consumers at the head of the log that wait for their turn: nothing that asks how far they are makes them pass what came for them.

import { expect, it } from 'vitest';
import { DEFAULT_SETTINGS } from '../../../../src/domain/consumers/consumer.js';
import { DeliveryWindow } from '../../../../src/domain/consumers/delivery-window.js';
import { BLANK_ENVELOPE } from '../../../../src/domain/events/envelope.js';
import { EntryKind, type LogEntry } from '../../../../src/domain/events/event.js';
import { windowSettings } from '../../../../src/engine/consumers/consumer-changes.js';
import {
  ConsumerDispatcher,
  type ConsumerDispatcherOptions,
} from '../../../../src/engine/consumers/consumer-dispatcher.js';
import { HeldPages } from '../../../../src/engine/consumers/consumer-read-ahead.js';
import { LogReader } from '../../../../src/engine/log/log-reader.js';
import { systemClock } from '../../../../src/lib/clock.js';
import { FairGate } from '../../../../src/lib/fair-gate.js';
import type { EventLog } from '../../../../src/storage/ports/log-storage.js';
import { newTail } from '../../../support/events/log-tail.js';
import { waitUntil } from '../../../support/wait-until.js';

const CONSUMERS = 200;
const STORED = {
  ...{ consumerId: 1, generation: 1, offset: 0, acked: new Uint8Array(), failures: [] },
  ...{ nextLease: 1, generationFirstLease: 1, generationOffset: 0, ownerFirstLease: 1 },
};

const log = { oldestPosition: async () => 0 } as Partial<EventLog> as EventLog;
const tail = newTail(log);
const source = new LogReader({
  log,
  deleted: { deletedTo: async () => 0 },
  tail,
  pages: new FairGate(1),
  clock: systemClock,
});

function consumer(name: string): { dispatcher: ConsumerDispatcher; window: DeliveryWindow; got: number[] } {
  const window = new DeliveryWindow({
    settings: windowSettings(DEFAULT_SETTINGS),
    state: STORED,
    random: Math.random,
  });
  window.members.add('member', { maxInFlight: 100, maxInFlightBytes: 1_000_000 });
  const got: number[] = [];
  const members = {
    ...{ wanted: true, tellCaughtUp() {}, tellGap() {}, markStale() {} },
    deliver: ({ position }: LogEntry) => got.push(position),
  };
  const failed = (error: unknown) => {
    throw error;
  };
  const dispatcher = new ConsumerDispatcher({
    ...{ key: { context: 'default', name }, settings: DEFAULT_SETTINGS, window, source, clock: systemClock },
    ...{ ephemeral: { kept: (entries: readonly LogEntry[]) => entries } },
    ...{
      held: new HeldPages(),
      members,
      gaps: { isDue: false, nextAt: Number.POSITIVE_INFINITY, noteDue() {} },
      progress: {},
      leases: {},
    },
    host: { mayDeliver: true, roundDone() {}, failed },
  } as unknown as ConsumerDispatcherOptions);
  dispatcher.kick();
  return { dispatcher, window, got };
}

it('get an event that came, whoever asks for their offset before their turn', async () => {
  const all = Array.from({ length: CONSUMERS }, (_, n) => consumer(`consumer ${n}`));
  await waitUntil(() => all.every(({ window }) => window.scan.position === 0), { what: 'all are at the head' });
  const own = { position: 1, eventId: 1, kind: EntryKind.OCCURRED, sequence: 0, createdAt: 1, payload: undefined };
  tail.publish([{ ...BLANK_ENVELOPE, context: 'default', topic: 'orders', messageId: '', ...own }]);
  for (const { dispatcher, window } of all) {
    dispatcher.passQuiet();
    expect(window.offset).toBe(0);
  }
  await waitUntil(() => all.every(({ got }) => got.length > 0), { what: 'every consumer has the event' });
  expect(all.map(({ got }) => got)).toEqual(Array(CONSUMERS).fill([1]));
});
