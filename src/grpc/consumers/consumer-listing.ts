// ListConsumers: consumers by name, and those among them that get a stream, or have passed an event.

import type { CallContext } from 'nice-grpc';
import {
  Consumer,
  type ListConsumersRequest,
  type ListConsumersResponse,
} from '../../../generated/madeleine/v1/consumer_service.js';
import { eventUnknown } from '../../domain/errors.js';
import type { LogEntry } from '../../domain/events/event.js';
import type { Choose, Consumers } from '../../engine/consumers/consumers.js';
import { getsStream } from '../../engine/consumers/passed/consumer-streams.js';
import type { PassedConsumers } from '../../engine/consumers/passed/passed-consumers.js';
import type { EventLookUp, EventPositionsLookUp } from '../../engine/log/event-look-up.js';
import type { LogSource } from '../../engine/log/log-source.js';
import { BY_NAME, listPage } from '../wire/pages.js';
import { callerOf, idField, oneName, prefixField, readContext } from '../wire/wire.js';
import { consumerToWire } from './consumer-wire.js';

export interface ConsumerListingOptions {
  readonly consumers: Pick<Consumers, 'list' | 'listChosen'>;
  readonly passed: PassedConsumers;
  readonly events: EventLookUp;
  readonly places: EventPositionsLookUp;
  readonly source: LogSource;
}

export class ConsumerListing {
  readonly #options: ConsumerListingOptions;

  constructor(options: ConsumerListingOptions) {
    this.#options = options;
  }

  async list(request: ListConsumersRequest, call: CallContext): Promise<ListConsumersResponse> {
    const { consumers, source } = this.#options;
    const context = readContext('context', request.context);
    const namePrefix = prefixField('name_prefix', request.namePrefix);
    const choice = this.#choice(request);
    const choose = choice.length === 0 ? undefined : await this.#choose(request, call);
    const { items, nextPageToken } = await listPage(request, {
      of: ['ListConsumers', context, namePrefix, ...choice],
      epoch: source.epoch,
      key: BY_NAME,
      read: (after, limit) => {
        const options = { context, namePrefix, after, limit };
        return choose === undefined ? consumers.list(options) : consumers.listChosen(options, choose);
      },
      toWire: (listed) => consumerToWire(listed, listed.counted, listed.percent),
      codec: Consumer,
    });
    return { consumers: items, nextPageToken };
  }

  /** What is chosen by, for the token; empty: nothing. */
  #choice({ stream, passedEventId }: ListConsumersRequest): readonly string[] {
    return stream === '' && passedEventId === 0n ? [] : [...oneName('stream', stream), String(passedEventId)];
  }

  async #choose({ stream, passedEventId }: ListConsumersRequest, { peer, signal }: CallContext): Promise<Choose> {
    const entries = passedEventId === 0n ? undefined : await this.#entriesOf(passedEventId);
    const asking = { caller: callerOf(peer), signal };
    return async (records) => {
      const ofStream = records.filter((each) => stream === '' || getsStream(each, each.settings, stream));
      return entries === undefined ? ofStream : this.#options.passed.among(ofStream, entries, asking);
    };
  }

  /** The entries of an event; none of what is awaited. */
  async #entriesOf(eventId: bigint): Promise<readonly LogEntry[]> {
    idField('passed_event_id', eventId);
    const { events, places, source } = this.#options;
    if ((await events.byId(eventId)) === undefined) throw eventUnknown(eventId);
    const { byEventId } = await places.positionsOf({ eventIds: [eventId], context: '', messageIds: [] });
    return source.readAt(byEventId[0] ?? []);
  }
}
