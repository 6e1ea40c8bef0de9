// StreamService: tells about streams, and hands them over. Else they are written by pushes only.

import type { CallContext } from 'nice-grpc';
import {
  type GetStreamRequest,
  type GetStreamResponse,
  type ListStreamsRequest,
  type ListStreamsResponse,
  Stream,
  type TransferStreamRequest,
  type TransferStreamResponse,
  type TruncateStreamRequest,
  type TruncateStreamResponse,
  type UnreadConsumer,
} from '../../../generated/madeleine/v1/stream_service.js';
import { fieldInvalid, streamUnknown } from '../../domain/errors.js';
import type { StreamState } from '../../domain/events/stream.js';
import type { StreamTransfers } from '../../engine/group/stream-transfers.js';
import type { LogSource } from '../../engine/log/log-source.js';
import type { StreamDirectory } from '../../engine/log/stream-directory.js';
import type { StreamTruncations } from '../../engine/streams/stream-truncations.js';
import type { UnreadBy } from '../../engine/streams/stream-unread.js';
import { managementCall } from '../wire/management-call.js';
import { BY_NAME, listPage } from '../wire/pages.js';
import {
  callerOf,
  labelField,
  nameKey,
  ownContext,
  prefixField,
  readContext,
  reasonField,
  requiredName,
  toTimestamp,
} from '../wire/wire.js';

export interface StreamServiceOptions {
  readonly streams: StreamDirectory;
  readonly transfers: StreamTransfers;
  readonly truncations: Pick<StreamTruncations, 'truncate'>;
  readonly source: LogSource;
}

export class StreamService {
  readonly #options: StreamServiceOptions;

  constructor(options: StreamServiceOptions) {
    this.#options = options;
  }

  async getStream(request: GetStreamRequest): Promise<GetStreamResponse> {
    const { context, name } = nameKey(request);
    const stream = await this.#options.streams.find(context, name);
    if (stream === undefined) throw streamUnknown(context, name);
    return { stream: toWire(stream) };
  }

  async listStreams(request: ListStreamsRequest): Promise<ListStreamsResponse> {
    const filter = {
      context: readContext('context', request.context),
      owner: labelField('owner', request.owner),
      namePrefix: prefixField('name_prefix', request.namePrefix),
    };
    const { streams, source } = this.#options;
    const { items, nextPageToken } = await listPage(request, {
      of: ['ListStreams', filter],
      epoch: source.epoch,
      key: BY_NAME,
      read: (after, limit) => streams.list({ ...filter, after, limit }),
      toWire,
      codec: Stream,
    });
    return { streams: items, nextPageToken };
  }

  async transferStream(request: TransferStreamRequest, { signal, peer }: CallContext): Promise<TransferStreamResponse> {
    const transfer = {
      context: ownContext('context', request.context),
      stream: requiredName('stream', request.stream),
      owner: requiredName('owner', request.owner),
      newOwner: requiredName('new_owner', request.newOwner),
    };
    const reason = reasonField(request.reason);
    const call = { ...managementCall('TransferStream', request), reason };
    if (transfer.newOwner === transfer.owner) throw fieldInvalid('new_owner', 'is the owner that it is taken from');
    const stream = await this.#options.transfers.transfer(transfer, call, { signal, caller: callerOf(peer) });
    return { stream: toWire(stream) };
  }

  async truncateStream(request: TruncateStreamRequest, { signal, peer }: CallContext): Promise<TruncateStreamResponse> {
    const truncation = {
      context: ownContext('context', request.context),
      stream: requiredName('stream', request.stream),
      upTo: sequenceField('up_to_sequence', request.upToSequence),
    };
    const { force, dryRun } = request;
    const call = { ...managementCall('TruncateStream', request), reason: reasonField(request.reason), force, dryRun };
    const { stream, events, unread } = await this.#options.truncations.truncate(truncation, call, {
      ...{ signal, caller: callerOf(peer) },
    });
    return {
      stream: toWire(stream),
      events: BigInt(events),
      unread: unread.consumers.map(unreadToWire),
      unreadIsPartial: unread.isPartial,
    };
  }
}

/** A sequence, which is required; one beyond what numbers hold is beyond every stream. */
function sequenceField(field: string, value: bigint): number {
  if (value === 0n) throw fieldInvalid(field, 'is required: the last sequence that goes');
  return Number(value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : value);
}

function unreadToWire({ context, name, count, isMinimum }: UnreadBy): UnreadConsumer {
  return { context, name, events: BigInt(count), eventsIsMinimum: isMinimum };
}

function toWire(stream: StreamState): Stream {
  return {
    context: stream.context,
    name: stream.name,
    owner: stream.owner,
    epoch: BigInt(stream.epoch),
    lastSequence: BigInt(stream.lastSequence),
    eventCount: BigInt(stream.lastSequence),
    firstPosition: BigInt(stream.firstPosition),
    lastPosition: BigInt(stream.lastPosition),
    firstEventAt: toTimestamp(stream.firstEventAt),
    lastEventAt: toTimestamp(stream.lastEventAt),
    formerOwner: stream.formerOwner,
    transferPosition: BigInt(stream.transferPosition),
    truncatedTo: BigInt(stream.truncatedTo),
  };
}
