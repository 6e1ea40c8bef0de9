// Decoders of the requests that select events by properties or by a description.

import {
  CreateConsumerRequest,
  FetchRequest,
  SubscribeRequest,
  UpdateConsumerRequest,
} from '../../../generated/madeleine/v1/consumer_service.js';
import { ListEventsRequest, ReadEventsRequest } from '../../../generated/madeleine/v1/event_service.js';
import { readPair } from './pairs.js';
import { descriptionObject, type Repair, repairedDecode } from './struct-decoder.js';

const FILTER = 1;
const FILTER_PROPERTIES = 15;
const FILTER_DESCRIPTION = 16;
const READ_DESCRIPTION = 12;
const SETTINGS_FILTER = 1;
const CONSUMER_DESCRIPTION = 8;

export const decodeListEvents = repairedDecode(ListEventsRequest, [
  {
    path: [FILTER, FILTER_PROPERTIES],
    put: ({ filter }, pairs) => {
      // fromEntries makes own members too.
      if (filter !== undefined) filter.properties = Object.fromEntries(pairs.map(readPair));
    },
  },
  {
    path: [FILTER, FILTER_DESCRIPTION],
    put: ({ filter }, structs) => {
      if (filter !== undefined) filter.description = descriptionObject(structs);
    },
  },
]);

export const decodeReadEvents = repairedDecode(ReadEventsRequest, [
  {
    path: [READ_DESCRIPTION],
    put: (request, structs) => {
      request.description = descriptionObject(structs);
    },
  },
]);

export const decodeSubscribe = repairedDecode(SubscribeRequest, [ofSettings(4)]);
export const decodeFetch = repairedDecode(FetchRequest, [ofSettings(7)]);
export const decodeCreateConsumer = repairedDecode(CreateConsumerRequest, [ofSettings(3)]);
export const decodeUpdateConsumer = repairedDecode(UpdateConsumerRequest, [ofSettings(3)]);

interface WithSettings {
  readonly settings?: { readonly filter?: { description?: object | undefined } | undefined } | undefined;
}

function ofSettings(settingsField: number): Repair<WithSettings> {
  return {
    path: [settingsField, SETTINGS_FILTER, CONSUMER_DESCRIPTION],
    put: ({ settings }, structs) => {
      const filter = settings?.filter;
      if (filter !== undefined) filter.description = descriptionObject(structs);
    },
  };
}
