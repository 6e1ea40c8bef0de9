// The calls of ConsumerService about parked events.

import type { CallContext } from 'nice-grpc';
import type {
  DiscardParkedEventsRequest,
  DiscardParkedEventsResponse,
  ListParkedEventsRequest,
  ParkedResult,
  ReplayParkedEventsRequest,
  ReplayParkedEventsResponse,
} from '../../../generated/madeleine/v1/consumer_service.js';
import type { ParkedAction } from '../../engine/consumers/consumer-parked.js';
import type { Consumers } from '../../engine/consumers/consumers.js';
import type { EditedReplays } from '../../engine/consumers/parked/edited-replays.js';
import type { ParkedEntry, ParkedListing } from '../../engine/consumers/parked/parked-listing.js';
import type { LogSource } from '../../engine/log/log-source.js';
import { namedPosition } from '../../engine/log/named-position.js';
import type { WireEventEncoder } from '../events/event-encoder.js';
import { EventFrames } from '../events/event-frames.js';
import type { PushLimits } from '../events/push-validation.js';
import { managementCall } from '../wire/management-call.js';
import { listPage } from '../wire/pages.js';
import { callerOf, idField, payloadForm } from '../wire/wire.js';
import { consumerKey } from './consumer-wire.js';
import { type DecodedEdit, editedCommand } from './edited-event.js';
import { ParkedFrames } from './parked-frames.js';
import { parkedResults, parkedSelection, parkedTarget } from './parked-wire.js';

const CALLS = { replay: 'ReplayParkedEvents', discard: 'DiscardParkedEvents' } as const;

export interface ParkedCallsOptions {
  readonly consumers: Consumers;
  readonly listing: ParkedListing;
  readonly edits: EditedReplays;
  readonly source: LogSource;
  readonly encoder: WireEventEncoder;
  readonly limits: PushLimits;
}

export class ParkedCalls {
  readonly #options: ParkedCallsOptions;
  readonly #frames: ParkedFrames;
  readonly #events: EventFrames;

  constructor(options: ParkedCallsOptions) {
    this.#options = options;
    this.#frames = new ParkedFrames(options.encoder);
    this.#events = new EventFrames(options.encoder);
  }

  /** Returns the encoded ListParkedEventsResponse. */
  async list(request: ListParkedEventsRequest, signal: AbortSignal): Promise<Uint8Array> {
    const { listing, source } = this.#options;
    const key = consumerKey(request);
    const selection = parkedSelection(request);
    const form = payloadForm('payload_encoding', request.payloadEncoding);
    const { items, nextPageToken } = await listPage(request, {
      of: ['ListParkedEvents', key.context, key.name, selection],
      epoch: source.epoch,
      key: { position: 'position' },
      read: async (at, limit) => {
        const page = await listing.page(key, selection, { after: at?.position ?? 0, limit, signal });
        return { items: page.items, next: page.next === undefined ? undefined : { position: page.next } };
      },
      toWire: (item: ParkedEntry) => this.#frames.parked(item, form),
      codec: { encode: (bytes: Uint8Array) => ({ finish: () => bytes }) },
    });
    return this.#frames.page(items, nextPageToken);
  }

  async replay(request: ReplayParkedEventsRequest, signal: AbortSignal): Promise<ReplayParkedEventsResponse> {
    const { count, results } = await this.#change('replay', request, signal);
    return { replayed: BigInt(count), results };
  }

  async discard(request: DiscardParkedEventsRequest, signal: AbortSignal): Promise<DiscardParkedEventsResponse> {
    const { count, results } = await this.#change('discard', request, signal);
    return { discarded: BigInt(count), results };
  }

  /** Returns the encoded ReplayEditedEventResponse, which has the fields of a PushEventResponse. */
  async replayEdited(request: DecodedEdit, { signal, peer }: CallContext): Promise<Uint8Array> {
    const { edits, limits } = this.#options;
    const key = consumerKey(request);
    const position = idField('position', request.position);
    const form = payloadForm('payload_encoding', request.payloadEncoding);
    const { entry: parked, erasedTo } = await edits.original(position, signal);
    const call = managementCall('ReplayEditedEvent', request);
    const command = editedCommand(request, { key, parked, limits });
    const by = { signal, caller: callerOf(peer) };
    const { entry, effect } = await edits.replay(key, position, { command, erasedTo, call }, by);
    return this.#events.pushed(entry, effect, form);
  }

  async #change(
    action: ParkedAction,
    request: ReplayParkedEventsRequest | DiscardParkedEventsRequest,
    signal: AbortSignal,
  ): Promise<{ readonly count: number; readonly results: ParkedResult[] }> {
    const { consumers, source } = this.#options;
    const key = consumerKey(request);
    const target = parkedTarget(request);
    const call = managementCall(CALLS[action], request);
    if (target.kind === 'all') {
      return { count: await consumers.changeAllParked(key, action, target.selection, { call, signal }), results: [] };
    }
    await namedPosition(source, target.greatest, signal);
    const changed = await consumers.changeParked(key, action, new Set(target.positions), call);
    return { count: changed.size, results: parkedResults(target.positions, changed) };
  }
}
