// Messages of two texts.

import type { WireReader } from './wire-reader.js';

/** Reads a message of two texts, such as an entry of a map. */
export function readPair(reader: WireReader): [string, string] {
  const pair: [string, string] = ['', ''];
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 10) pair[0] = reader.string();
    else if (tag === 18) pair[1] = reader.string();
    else reader.skip(tag);
  }
  return pair;
}
