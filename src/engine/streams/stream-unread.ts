// Which durable consumers have not passed events of a stream: counted from what is stored, before it is decided whether these may go.

import { type ConsumerKey, streamCriteria } from '../../domain/consumers/consumer.js';
import type { StreamState } from '../../domain/events/stream.js';
import { ALL_CONTEXTS } from '../../domain/names.js';
import type { ConsumerRecord, ConsumerStore } from '../../storage/ports/consumer-storage.js';
import type { Position } from '../../units.js';
import { getsStream } from '../consumers/passed/consumer-streams.js';
import { countEvents, type EventCount, ROUGH } from '../consumers/state/event-count.js';
import { type LogSource, selectionOf } from '../log/log-source.js';

/** Consumers that are looked at for one question. */
const MAX_LOOKED_AT = 1_000;
/** Consumers that are told. */
export const MAX_UNREAD_TOLD = 100;

/** A consumer that has not passed events. */
export interface UnreadBy extends ConsumerKey, EventCount {}

export interface StreamUnread {
  /** Consumers by context and name, the first MAX_UNREAD_TOLD. */
  readonly consumers: readonly UnreadBy[];
  /** There may be others. */
  readonly isPartial: boolean;
}

export interface UnreadOfStreamsOptions {
  readonly store: Pick<ConsumerStore, 'list' | 'acked'>;
  readonly source: Pick<LogSource, 'readPositions'>;
}

export class UnreadOfStreams {
  readonly #options: UnreadOfStreamsOptions;

  constructor(options: UnreadOfStreamsOptions) {
    this.#options = options;
  }

  /** Counts what consumers have not passed of a stream's events up to a position. */
  async upTo({ context, name }: StreamState, position: Position, signal?: AbortSignal): Promise<StreamUnread> {
    const { store } = this.#options;
    const records = await store.list({ context, withAll: true, limit: MAX_LOOKED_AT + 1 });
    const behind = records
      .slice(0, MAX_LOOKED_AT)
      .filter((record) => !record.settings.ephemeral && record.offset < position)
      .filter((record) => getsStream(record, record.settings, name));
    const acked = await store.acked(behind.map(({ id }) => id));
    const unread: UnreadBy[] = [];
    for (const record of behind) {
      signal?.throwIfAborted();
      const counted = await this.#count(record, { context, name }, position, acked.get(record.id));
      if (counted.count > 0 || counted.isMinimum)
        unread.push({ context: record.context, name: record.name, ...counted });
    }
    const isPartial = records.length > MAX_LOOKED_AT || unread.length > MAX_UNREAD_TOLD;
    return { consumers: unread.slice(0, MAX_UNREAD_TOLD), isPartial };
  }

  #count(
    record: ConsumerRecord,
    stream: { readonly context: string; readonly name: string },
    position: Position,
    acked: Uint8Array | undefined,
  ): Promise<EventCount> {
    const of = { context: record.context === ALL_CONTEXTS ? stream.context : record.context, name: stream.name };
    const span = { after: record.offset, upTo: position };
    return countEvents({
      source: this.#options.source,
      selection: selectionOf(streamCriteria(record, record.settings, of)),
      span: acked === undefined ? span : { ...span, without: acked },
      effort: ROUGH,
    });
  }
}
