// Decodes ListEventsRequest where the generated code is wrong: it keeps maps as objects and assigns to them, so that a property
// named `__proto__` would vanish from the filter, and the list would hold events that do not match.

import { ListEventsRequest } from '../../../generated/madeleine/v1/event_service.js';
import { decodeStrictly } from '../definitions.js';
import { readPair } from './push-decoder.js';
import { WireReader } from './wire-reader.js';

const AWKWARD_KEY = '__proto__';
/** Fields of the request and of EventFilter, as tags. */
const FILTER = (1 << 3) | 2;
const PROPERTIES = (15 << 3) | 2;

/** Decodes a ListEventsRequest. Throws what the generated code and WireReader throw. */
export function decodeListEvents(bytes: Uint8Array): ListEventsRequest {
  const request = decodeStrictly(ListEventsRequest, bytes) as ListEventsRequest;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (request.filter === undefined || !buffer.includes(AWKWARD_KEY)) return request;
  const properties = new Map<string, string>();
  for (const filter of nested(new WireReader(buffer), FILTER)) {
    for (const entry of nested(filter, PROPERTIES)) properties.set(...readPair(entry));
  }
  // fromEntries makes own members, whatever their name.
  request.filter.properties = Object.fromEntries(properties);
  return request;
}

function* nested(reader: WireReader, wanted: number): Generator<WireReader> {
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === wanted) yield reader.message();
    else reader.skip(tag);
  }
}
