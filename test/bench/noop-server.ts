// The limit that calls are held against: the same gRPC server with the same middlewares and codecs, and nothing behind them.
// Prints its address; ends with its parent.

import { pino } from 'pino';
import { ConsumerServiceDefinition } from '../../generated/madeleine/v1/consumer_service.js';
import { EventServiceDefinition } from '../../generated/madeleine/v1/event_service.js';
import { EMPTY_ENVELOPE } from '../../src/domain/events/envelope.js';
import { EntryKind } from '../../src/domain/events/event.js';
import { WireEventEncoder } from '../../src/grpc/events/event-encoder.js';
import { EventFrames } from '../../src/grpc/events/event-frames.js';
import { eventCodecs } from '../../src/grpc/events/event-service.js';
import { GrpcServer } from '../../src/grpc/server/server.js';
import { encoded, serverDefinition } from '../../src/grpc/wire/definitions.js';
import { systemClock } from '../../src/lib/clock.js';
import { deliveryFrame, FRAME_EVENTS, PAYLOAD } from './load.js';

const frames = new EventFrames(new WireEventEncoder());
const entry = {
  ...EMPTY_ENVELOPE,
  position: 1_000_000,
  kind: EntryKind.OCCURRED,
  eventId: 1_000_000,
  context: 'default',
  topic: 'orders',
  sequence: 0,
  issuer: 'shop',
  messageId: '01a1fddb-e4cb-7000-8637-ef26d78587c5',
  createdAt: 1_763_000_000_123_456,
  payload: { contentType: '', bytes: PAYLOAD },
};
const answer = frames.pushed(entry, 'occurred', 'bytes');
const delivery = frames.event(entry, 'bytes');

/** Answers every push alike, and streams the same frame until the asked number of events is sent. */
const noop = {
  pushEvent: async () => answer,
  async *subscribe({ consumer }: { consumer: string }) {
    const frame = deliveryFrame(delivery, FRAME_EVENTS);
    for (let left = Number(consumer); left > 0; left -= FRAME_EVENTS) yield frame;
  },
};

const server = new GrpcServer({
  services: [
    {
      name: EventServiceDefinition.fullName,
      definition: pick(serverDefinition(EventServiceDefinition, eventCodecs({ maxEventBytes: 262_144 })), 'pushEvent'),
      implementation: noop,
    },
    {
      name: ConsumerServiceDefinition.fullName,
      definition: pick(serverDefinition(ConsumerServiceDefinition, { subscribe: encoded }), 'subscribe'),
      implementation: noop,
    },
  ],
  draining: new AbortController().signal,
  maxStreams: 10_000,
  clock: systemClock,
  logger: pino({ level: 'silent' }),
});

function pick<T>(record: Readonly<Record<string, T>>, key: string): Record<string, T> {
  return { [key]: record[key] as T };
}

const port = await server.listen('127.0.0.1:0');
process.stdout.write(`${JSON.stringify({ msg: 'listening', grpc: `127.0.0.1:${port}`, http: '' })}\n`);
process.on('disconnect', () => process.exit());
