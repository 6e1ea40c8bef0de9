// ConsumerService: checks requests, calls the engine, answers. What it promises is written in consumer_service.proto.

import type { CallContext } from 'nice-grpc';
import type {
  AcknowledgeRequest,
  AcknowledgeResponse,
  CreateConsumerRequest,
  CreateConsumerResponse,
  DeleteConsumerRequest,
  DeleteConsumerResponse,
  DeleteSnapshotRequest,
  DeleteSnapshotResponse,
  DiscardParkedEventsRequest,
  DiscardParkedEventsResponse,
  ExtendAckDeadlineRequest,
  ExtendAckDeadlineResponse,
  FetchRequest,
  GetConsumerRequest,
  GetConsumerResponse,
  ListConsumersRequest,
  ListConsumersResponse,
  ListOffsetMovesRequest,
  ListOffsetMovesResponse,
  ListParkedEventsRequest,
  ListSnapshotsRequest,
  ListSnapshotsResponse,
  PauseConsumerRequest,
  PauseConsumerResponse,
  RejectRequest,
  RejectResponse,
  ReplayParkedEventsRequest,
  ReplayParkedEventsResponse,
  RestoreSnapshotRequest,
  RestoreSnapshotResponse,
  ResumeConsumerRequest,
  ResumeConsumerResponse,
  SaveSnapshotRequest,
  SaveSnapshotResponse,
  SeekConsumerRequest,
  SeekConsumerResponse,
  SubscribeRequest,
  UpdateConsumerRequest,
  UpdateConsumerResponse,
} from '../../../generated/madeleine/v1/consumer_service.js';
import type { Subscription } from '../../engine/consumers/consumer-subscription.js';
import type { Consumers } from '../../engine/consumers/consumers.js';
import type { LogSource } from '../../engine/log/log-source.js';
import { namedPosition } from '../../engine/log/named-position.js';
import type { Clock } from '../../lib/clock.js';
import type { WireEventEncoder } from '../events/event-encoder.js';
import type { PushLimits } from '../events/push-validation.js';
import { encoded, type MethodCodec, outgoing } from '../wire/definitions.js';
import { decodeCreateConsumer, decodeFetch, decodeSubscribe, decodeUpdateConsumer } from '../wire/filter-decoders.js';
import { managementCall } from '../wire/management-call.js';
import type { Outgoing, OutgoingMessage } from '../wire/outgoing.js';
import type { PayloadForm } from '../wire/payload-form.js';
import { durationMs, nameKey, payloadForm, reasonField, requestIdField, sizeField } from '../wire/wire.js';
import { whereEcho } from './consumer-filter-wire.js';
import type { ConsumerListing } from './consumer-listing.js';
import {
  acknowledgedToWire,
  acknowledgeFromWire,
  ackResultsToWire,
  consumerKey,
  countedToWire,
  creditFromWire,
  extendFromWire,
  memberFromWire,
  rejectFromWire,
  settingsFromWire,
  startFromWire,
  subscribeNewsFrame,
  updateFromWire,
  useFromWire,
} from './consumer-wire.js';
import { DeliveryFrames } from './delivery-frames.js';
import { type DecodedEdit, decodeEdit } from './edited-event.js';
import type { ParkedCalls } from './parked-calls.js';
import type { PlaceCalls } from './place-calls.js';
import { seekTarget, soughtToWire } from './seek-wire.js';

const MAX_WAIT_MS = 60_000;
const FETCH_LIMIT = { default: 100, max: 1_000 };

/** Calls whose answers the service encodes itself. */
const CONSUMER_CODECS: Readonly<Record<string, MethodCodec>> = {
  subscribe: { decode: decodeSubscribe, ...outgoing },
  fetch: { decode: decodeFetch, ...encoded },
  createConsumer: { decode: decodeCreateConsumer },
  updateConsumer: { decode: decodeUpdateConsumer },
  listParkedEvents: encoded,
};

/** Codecs of all those calls, also of those whose requests are bounded by settings. */
export function consumerCodecs({ maxEventBytes }: PushLimits): Readonly<Record<string, MethodCodec>> {
  const replayEditedEvent = { decode: (bytes: Uint8Array) => decodeEdit(bytes, maxEventBytes), ...encoded };
  return { ...CONSUMER_CODECS, replayEditedEvent };
}

export interface ConsumerServiceOptions {
  readonly consumers: Consumers;
  readonly source: LogSource;
  readonly encoder: WireEventEncoder;
  readonly outgoing: Outgoing;
  readonly parked: ParkedCalls;
  readonly places: PlaceCalls;
  readonly listing: ConsumerListing;
  readonly clock: Clock;
}

export class ConsumerService {
  readonly #consumers: Consumers;
  readonly #source: LogSource;
  readonly #frames: DeliveryFrames;
  readonly #outgoing: Outgoing;
  readonly #parked: ParkedCalls;
  readonly #places: PlaceCalls;
  readonly #listing: ConsumerListing;

  constructor(options: ConsumerServiceOptions) {
    const { consumers, source, encoder, outgoing: sent, parked, places, listing, clock } = options;
    this.#consumers = consumers;
    this.#source = source;
    this.#frames = new DeliveryFrames(encoder, clock);
    this.#outgoing = sent;
    this.#parked = parked;
    this.#places = places;
    this.#listing = listing;
  }

  async *subscribe(request: SubscribeRequest, context: CallContext): AsyncGenerator<OutgoingMessage, void> {
    const form = payloadForm('payload_encoding', request.payloadEncoding);
    const { subscription, opened } = await this.#open(request, form, context);
    const lane = this.#outgoing.open(context.peer, context.signal);
    try {
      yield lane.message(opened);
      for (;;) {
        // `next` ends by itself when the signal aborts: the engine closes the subscription then.
        await lane.ready();
        const frame = await subscription.next(lane);
        if (frame === undefined) {
          await lane.finished();
          return;
        }
        const isNews = frame.kind !== 'deliveries';
        yield lane.message(isNews ? subscribeNewsFrame(frame) : this.#frames.deliveries(frame, form));
      }
    } finally {
      lane.close();
      subscription.close({ lost: context.signal.aborted });
    }
  }

  /** Subscribes, and makes the first frame; apart from the generator, whose locals live as long as the stream: not the view. */
  async #open(
    request: SubscribeRequest,
    form: PayloadForm,
    { peer, signal }: CallContext,
  ): Promise<{ subscription: Subscription; opened: Uint8Array }> {
    const { subscription, view } = await this.#consumers.subscribe({
      ...useFromWire('Subscribe', request),
      member: memberFromWire(request.member),
      credit: creditFromWire(request.maxInFlight, request.maxInFlightBytes),
      measure: (entry) => this.#frames.measure(entry, form),
      address: peer,
      signal,
    });
    const logEpoch = this.#source.epoch;
    return { subscription, opened: subscribeNewsFrame({ kind: 'opened', view, member: subscription.name, logEpoch }) };
  }

  async fetch(request: FetchRequest, context: CallContext): Promise<Uint8Array> {
    const form = payloadForm('payload_encoding', request.payloadEncoding);
    const use = useFromWire('Fetch', request);
    const { batch, offset, head } = await this.#consumers.fetch(use, memberFromWire(request.member), {
      limit: sizeField('limit', request.limit, FETCH_LIMIT),
      waitMs: request.wait === undefined ? 0 : durationMs('wait', request.wait, { min: 0, max: MAX_WAIT_MS }),
      requestId: requestIdField(request.requestId),
      measure: (entry) => this.#frames.measure(entry, form),
      address: context.peer,
      signal: context.signal,
    });
    return this.#frames.fetched(batch, { offset, head, filter: whereEcho(use.settings) }, form);
  }

  async acknowledge(request: AcknowledgeRequest, { signal }: CallContext): Promise<AcknowledgeResponse> {
    const key = consumerKey(request);
    const { acknowledging, greatest } = acknowledgeFromWire(request, key);
    if (greatest !== undefined) await namedPosition(this.#source, greatest, signal);
    return acknowledgedToWire(request, await this.#consumers.acknowledge(key, acknowledging));
  }

  async reject(request: RejectRequest, { signal }: CallContext): Promise<RejectResponse> {
    const key = consumerKey(request);
    const { answers, rejection, greatest } = rejectFromWire(request);
    if (greatest !== undefined) await namedPosition(this.#source, greatest, signal);
    const { offset, statuses } = await this.#consumers.reject(key, answers, rejection);
    return { offset: BigInt(offset), results: ackResultsToWire(request.rejections, statuses) };
  }

  async extendAckDeadline(
    request: ExtendAckDeadlineRequest,
    { signal }: CallContext,
  ): Promise<ExtendAckDeadlineResponse> {
    const key = consumerKey(request);
    const { answers, all, member, extensionMs, greatest } = extendFromWire(request);
    if (greatest !== undefined) await namedPosition(this.#source, greatest, signal);
    if (all) return { results: [], extended: await this.#consumers.extendAll(key, member, extensionMs) };
    const statuses = await this.#consumers.extend(key, answers, extensionMs);
    return { results: ackResultsToWire(request.positions, statuses), extended: 0 };
  }

  async createConsumer(request: CreateConsumerRequest): Promise<CreateConsumerResponse> {
    const key = nameKey(request);
    const created = await this.#consumers.create({
      key,
      settings: settingsFromWire(request.settings, key),
      start: startFromWire('start', request.start),
      call: managementCall('CreateConsumer', request),
    });
    return { consumer: countedToWire(created) };
  }

  async getConsumer(request: GetConsumerRequest): Promise<GetConsumerResponse> {
    return { consumer: countedToWire(await this.#consumers.get(nameKey(request))) };
  }

  listConsumers(request: ListConsumersRequest, call: CallContext): Promise<ListConsumersResponse> {
    return this.#listing.list(request, call);
  }

  async updateConsumer(request: UpdateConsumerRequest): Promise<UpdateConsumerResponse> {
    const key = nameKey(request);
    const call = managementCall('UpdateConsumer', request);
    return { consumer: countedToWire(await this.#consumers.update(key, updateFromWire(request, key), call)) };
  }

  async deleteConsumer(request: DeleteConsumerRequest): Promise<DeleteConsumerResponse> {
    await this.#consumers.delete(nameKey(request), managementCall('DeleteConsumer', request));
    return {};
  }

  async pauseConsumer(request: PauseConsumerRequest): Promise<PauseConsumerResponse> {
    const key = consumerKey(request);
    const reason = reasonField(request.reason);
    const call = managementCall('PauseConsumer', request);
    return { consumer: countedToWire(await this.#consumers.pause(key, reason, call)) };
  }

  async resumeConsumer(request: ResumeConsumerRequest): Promise<ResumeConsumerResponse> {
    const key = consumerKey(request);
    return { consumer: countedToWire(await this.#consumers.resume(key, managementCall('ResumeConsumer', request))) };
  }

  async seekConsumer(request: SeekConsumerRequest, { signal }: CallContext): Promise<SeekConsumerResponse> {
    const key = nameKey(request);
    const to = seekTarget(request);
    const asked = { call: managementCall('SeekConsumer', request), reason: reasonField(request.reason) };
    return soughtToWire(await this.#consumers.seek(key, to, request.dryRun ? undefined : asked, signal));
  }

  listOffsetMoves(request: ListOffsetMovesRequest): Promise<ListOffsetMovesResponse> {
    return this.#places.listMoves(request);
  }

  saveSnapshot(request: SaveSnapshotRequest): Promise<SaveSnapshotResponse> {
    return this.#places.save(request);
  }

  restoreSnapshot(request: RestoreSnapshotRequest): Promise<RestoreSnapshotResponse> {
    return this.#places.restore(request);
  }

  listSnapshots(request: ListSnapshotsRequest): Promise<ListSnapshotsResponse> {
    return this.#places.listSnapshots(request);
  }

  deleteSnapshot(request: DeleteSnapshotRequest): Promise<DeleteSnapshotResponse> {
    return this.#places.delete(request);
  }

  listParkedEvents(request: ListParkedEventsRequest, { signal }: CallContext): Promise<Uint8Array> {
    return this.#parked.list(request, signal);
  }

  replayParkedEvents(request: ReplayParkedEventsRequest, { signal }: CallContext): Promise<ReplayParkedEventsResponse> {
    return this.#parked.replay(request, signal);
  }

  discardParkedEvents(
    request: DiscardParkedEventsRequest,
    { signal }: CallContext,
  ): Promise<DiscardParkedEventsResponse> {
    return this.#parked.discard(request, signal);
  }

  replayEditedEvent(request: DecodedEdit, context: CallContext): Promise<Uint8Array> {
    return this.#parked.replayEdited(request, context);
  }
}
