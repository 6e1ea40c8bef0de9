// The services that the gRPC server registers, over the parts that do their work.

import { AdminServiceDefinition } from '../../generated/madeleine/v1/admin_service.js';
import { CawinServiceDefinition } from '../../generated/madeleine/v1/cawin_service.js';
import { ConsumerServiceDefinition } from '../../generated/madeleine/v1/consumer_service.js';
import { EventServiceDefinition } from '../../generated/madeleine/v1/event_service.js';
import { StreamServiceDefinition } from '../../generated/madeleine/v1/stream_service.js';
import { TopicServiceDefinition } from '../../generated/madeleine/v1/topic_service.js';
import type { UpSince } from '../engine/admin/up-since.js';
import { CheckOrWait } from '../engine/cawins/check-or-wait.js';
import type { Consumers } from '../engine/consumers/consumers.js';
import { EditedReplays } from '../engine/consumers/parked/edited-replays.js';
import { ParkedListing } from '../engine/consumers/parked/parked-listing.js';
import { PassedConsumers } from '../engine/consumers/passed/passed-consumers.js';
import { PlaceListing } from '../engine/consumers/places/place-listing.js';
import { PayloadChecks } from '../engine/group/payload-checks.js';
import { EventPlaces } from '../engine/log/event-places.js';
import { StreamDirectory } from '../engine/log/stream-directory.js';
import type { Statistics } from '../engine/statistics/statistics.js';
import { StreamTruncations } from '../engine/streams/stream-truncations.js';
import { UnreadOfStreams } from '../engine/streams/stream-unread.js';
import { ExplainWait } from '../engine/waits/explain-wait.js';
import { ADMIN_CODECS } from '../grpc/admin/admin-service.js';
import { CAWIN_CODECS, CawinService } from '../grpc/cawins/cawin-service.js';
import { ConsumerListing } from '../grpc/consumers/consumer-listing.js';
import { ConsumerService, consumerCodecs } from '../grpc/consumers/consumer-service.js';
import { ParkedCalls } from '../grpc/consumers/parked-calls.js';
import { PlaceCalls } from '../grpc/consumers/place-calls.js';
import type { WireEventEncoder } from '../grpc/events/event-encoder.js';
import { EventFrames } from '../grpc/events/event-frames.js';
import { EventService, eventCodecs } from '../grpc/events/event-service.js';
import type { PushLimits } from '../grpc/events/push-validation.js';
import { StreamService } from '../grpc/events/stream-service.js';
import { afterOwnWrites, type OwnWrites } from '../grpc/server/own-writes.js';
import type { RegisteredService } from '../grpc/server/server.js';
import { RetentionCalls } from '../grpc/topics/retention-calls.js';
import { SchemaCalls } from '../grpc/topics/schema-calls.js';
import { TopicService } from '../grpc/topics/topic-service.js';
import { serverDefinition } from '../grpc/wire/definitions.js';
import { Outgoing } from '../grpc/wire/outgoing.js';
import { MysqlConsumerStore } from '../storage/mysql/consumers/consumer-store.js';
import { MysqlParkedStore } from '../storage/mysql/consumers/parked-store.js';
import { MysqlPlaceStore } from '../storage/mysql/consumers/place-store.js';
import { MysqlEventPlaceStore } from '../storage/mysql/log/event-place-store.js';
import { MysqlStreamStore } from '../storage/mysql/log/stream-store.js';
import type { Instance } from '../storage/ports/log-storage.js';
import { adminService } from './admin.js';
import type { CallbackParts } from './callbacks.js';
import type { DatabaseHandle } from './database.js';
import type { EventParts } from './events.js';
import type { LogParts } from './log.js';
import type { RetentionParts } from './retention.js';
import type { Surroundings } from './surroundings.js';

export interface ServicesOptions {
  readonly surroundings: Surroundings;
  readonly handle: DatabaseHandle;
  readonly log: LogParts;
  readonly consumers: Consumers;
  readonly events: EventParts;
  readonly callbacks: CallbackParts;
  readonly encoder: WireEventEncoder;
  readonly instance: Instance;
  readonly retention: RetentionParts;
  readonly statistics: Statistics;
  /** Whether the database answers and stores. */
  readonly database: UpSince;
  /** Aborts when the server drains. */
  readonly draining: AbortSignal;
}

export function services(options: ServicesOptions): RegisteredService[] {
  const outgoing = new Outgoing(options.draining);
  options.surroundings.metrics.outgoingBytes.ask = () => outgoing.bytes;
  const limits = pushLimits(options);
  const own = options.log.tail;
  return [
    registered(EventServiceDefinition, eventCodecs(limits), eventService(options, outgoing), own),
    registered(StreamServiceDefinition, {}, streamService(options), own),
    registered(TopicServiceDefinition, {}, topicService(options), own),
    registered(ConsumerServiceDefinition, consumerCodecs(limits), consumerService(options, outgoing), own),
    registered(CawinServiceDefinition, CAWIN_CODECS, cawinService(options), own),
    registered(AdminServiceDefinition, ADMIN_CODECS, adminService(options), own),
  ];
}

function pushLimits({ surroundings }: ServicesOptions): PushLimits {
  return { maxEventBytes: surroundings.config.maxEventBytes };
}

function eventService(options: ServicesOptions, outgoing: Outgoing): EventService {
  const { log, events, encoder, draining } = options;
  const { pushes, queries, invalidations, erasing } = events;
  return new EventService({
    pushes,
    groupCommit: log.groupCommit,
    queries,
    invalidations,
    erasing,
    source: log.reader,
    frames: new EventFrames(encoder),
    outgoing,
    slices: log.slices,
    turns: log.turns,
    paced: log.paced,
    ephemeral: log.ephemeral,
    callers: log.callers,
    limits: pushLimits(options),
    checks: new PayloadChecks(log.catalog),
    passed: passedConsumers(options),
    draining,
  });
}

function passedConsumers({ handle, log, consumers }: ServicesOptions): PassedConsumers {
  const store = new MysqlConsumerStore(handle);
  return new PassedConsumers({ store, offsetOf: (key) => consumers.offsetOf(key), slices: log.slices });
}

function streamService({ handle, log, events }: ServicesOptions): StreamService {
  const { names, durableReads, tail, reader, groupCommit, management } = log;
  const store = new MysqlStreamStore({ database: handle.database, names });
  const streams = new StreamDirectory({ store, durableReads, tail });
  const unread = new UnreadOfStreams({ store: new MysqlConsumerStore(handle), source: reader });
  const truncations = new StreamTruncations({ groupCommit, management, tail, directory: streams, store, unread });
  return new StreamService({ streams, transfers: events.transfers, truncations, source: reader });
}

function topicService({ log, events, retention }: ServicesOptions): TopicService {
  const { topics, shapes, contexts, discardStore: discards } = events;
  const { reader: source } = log;
  const schemas = new SchemaCalls({ schemas: events.schemas, source });
  const calls = new RetentionCalls({ report: retention.report, topics, source });
  const { archives } = log;
  return new TopicService({ topics, shapes, contexts, discards, archives, schemas, source, retention: calls });
}

function consumerService(options: ServicesOptions, outgoing: Outgoing): ConsumerService {
  const { surroundings, log, consumers, encoder } = options;
  const calls = { parked: parkedCalls(options), places: placeCalls(options), listing: consumerListing(options) };
  return new ConsumerService({ consumers, source: log.reader, encoder, outgoing, ...calls, clock: surroundings.clock });
}

function placeCalls({ handle, log, consumers }: ServicesOptions): PlaceCalls {
  const store = new MysqlConsumerStore(handle);
  const listing = new PlaceListing({ store, placeStore: new MysqlPlaceStore(handle) });
  return new PlaceCalls({ consumers, listing, source: log.reader });
}

function consumerListing(options: ServicesOptions): ConsumerListing {
  const { handle, log, consumers, events } = options;
  const { names, durableReads, tail, reader: source } = log;
  const placeStore = new MysqlEventPlaceStore({ database: handle.database, names });
  return new ConsumerListing({
    consumers,
    passed: passedConsumers(options),
    events: events.queries,
    places: new EventPlaces({ store: placeStore, durableReads, tail }),
    source,
  });
}

function parkedCalls(options: ServicesOptions): ParkedCalls {
  const { handle, log, consumers, events, encoder } = options;
  const { reader: source, management } = log;
  const store = new MysqlConsumerStore(handle);
  return new ParkedCalls({
    consumers,
    listing: new ParkedListing({ store, parked: new MysqlParkedStore(handle), source }),
    edits: new EditedReplays({
      ...{ consumers, pushes: events.pushes, management, source },
      ...{ erasures: log.erasures, erasedTo: () => log.erasedTo },
    }),
    source,
    encoder,
    limits: pushLimits(options),
  });
}

function cawinService({ log, events, callbacks, encoder, draining }: ServicesOptions): CawinService {
  const { queries, pushes, waits } = events;
  const { cawins } = callbacks;
  const { reader: source } = log;
  return new CawinService({
    cawins,
    checkOrWait: new CheckOrWait({ cawins, pushes, events: queries }),
    explainWait: new ExplainWait({ queries, source, slices: log.slices }),
    waits,
    source,
    encoder,
    draining,
  });
}

function registered(
  generated: Parameters<typeof serverDefinition>[0],
  codecs: Parameters<typeof serverDefinition>[1],
  implementation: object,
  own: OwnWrites,
): RegisteredService {
  const definition = serverDefinition(generated, codecs);
  return { name: generated.fullName, definition, implementation: afterOwnWrites(definition, implementation, own) };
}
