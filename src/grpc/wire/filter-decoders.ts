// Decoders of the requests that select events by properties or by a description.

import { SearchEventsRequest } from '../../../generated/madeleine/v1/admin_service.js';
import {
  CreateConsumerRequest,
  FetchRequest,
  SubscribeRequest,
  UpdateConsumerRequest,
} from '../../../generated/madeleine/v1/consumer_service.js';
import type { EventFilter } from '../../../generated/madeleine/v1/event.js';
import {
  ListEventsRequest,
  ReadEventsRequest,
  WatchEventsRequest,
} from '../../../generated/madeleine/v1/event_service.js';
import { readPair } from './pairs.js';
import { descriptionObject, type Repair, repairedDecode } from './struct-decoder.js';

const FILTER_PROPERTIES = 15;
const FILTER_DESCRIPTION = 16;
const READ_DESCRIPTION = 12;
const SETTINGS_FILTER = 1;
const SETTINGS_WHERE = 7;
const CONSUMER_DESCRIPTION = 8;

export const decodeListEvents = repairedDecode(ListEventsRequest, ofFilter(1));
export const decodeWatchEvents = repairedDecode(WatchEventsRequest, ofFilter(4));
export const decodeSearchEvents = repairedDecode(SearchEventsRequest, ofFilter(2));
export const decodeReadEvents = repairedDecode(ReadEventsRequest, [
  ...ofFilter(15),
  {
    path: [READ_DESCRIPTION],
    put: (request, structs) => {
      request.description = descriptionObject(structs);
    },
  },
]);

export const decodeSubscribe = repairedDecode(SubscribeRequest, ofSettings(4));
export const decodeFetch = repairedDecode(FetchRequest, ofSettings(7));
export const decodeCreateConsumer = repairedDecode(CreateConsumerRequest, ofSettings(3));
export const decodeUpdateConsumer = repairedDecode(UpdateConsumerRequest, ofSettings(3));

type Repaired = Pick<EventFilter, 'properties' | 'description'>;

interface WithFilter {
  readonly filter?: Repaired | undefined;
}

function ofFilter(filterField: number): Repair<WithFilter>[] {
  return filterRepairs([filterField], ({ filter }: WithFilter) => filter);
}

interface WithSettings {
  readonly settings?:
    | {
        readonly filter?: { description?: object | undefined } | undefined;
        readonly where?: Repaired | undefined;
      }
    | undefined;
}

function ofSettings(settingsField: number): Repair<WithSettings>[] {
  return [
    ...filterRepairs([settingsField, SETTINGS_WHERE], ({ settings }: WithSettings) => settings?.where),
    {
      path: [settingsField, SETTINGS_FILTER, CONSUMER_DESCRIPTION],
      put: ({ settings }, structs) => {
        const filter = settings?.filter;
        if (filter !== undefined) filter.description = descriptionObject(structs);
      },
    },
  ];
}

/** What puts the EventFilter at a path right. */
function filterRepairs<T>(path: readonly number[], filterOf: (request: T) => Repaired | undefined): Repair<T>[] {
  return [
    {
      path: [...path, FILTER_PROPERTIES],
      put: (request, pairs) => {
        const filter = filterOf(request);
        // fromEntries makes own members too.
        if (filter !== undefined) filter.properties = Object.fromEntries(pairs.map(readPair));
      },
    },
    {
      path: [...path, FILTER_DESCRIPTION],
      put: (request, structs) => {
        const filter = filterOf(request);
        if (filter !== undefined) filter.description = descriptionObject(structs);
      },
    },
  ];
}
