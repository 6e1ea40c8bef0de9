// StreamService: tells about streams. They are written by pushes only.

import {
  type GetStreamRequest,
  type GetStreamResponse,
  type ListStreamsRequest,
  type ListStreamsResponse,
  Stream,
} from '../../../generated/madeleine/v1/stream_service.js';
import { MadeleineError } from '../../domain/errors.js';
import type { StreamState } from '../../domain/events/stream.js';
import type { LogSource } from '../../engine/log/log-source.js';
import type { StreamDirectory } from '../../engine/log/stream-directory.js';
import { BY_NAME, listPage } from '../wire/pages.js';
import { labelField, nameKey, prefixField, readContext, toTimestamp } from '../wire/wire.js';

export interface StreamServiceOptions {
  readonly streams: StreamDirectory;
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
    if (stream === undefined) throw new MadeleineError('STREAM_UNKNOWN', 'there is no such stream');
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
  };
}
