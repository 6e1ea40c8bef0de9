// Decodes requests that hold a Struct or a map where the generated code is wrong: it keeps both as objects and assigns to them, so
// that a member named `__proto__` would vanish. A filter would then let events pass that do not match.

import { asBuffer } from '../../domain/json/bytes.js';
import { decodeStrictly } from './definitions.js';
import { JsonValueError, structToJsonText } from './json-value.js';
import { WireReader } from './wire-reader.js';

const AWKWARD_KEY = '__proto__';
const LENGTH_DELIMITED = 2;

/** A generated message type. */
type MessageType<T> = Parameters<typeof decodeStrictly>[0] & { decode(...input: never[]): T };

/** Where a request holds what the generated code may lose, and how it is put right. */
export interface Repair<T> {
  /** Field numbers from the request to the last message, or to the Struct. */
  readonly path: readonly number[];
  /** Puts it right. `found`: the bytes of each message or Struct at the path. */
  readonly put: (request: T, found: readonly WireReader[]) => void;
}

/** Decodes with the generated code, and puts right what it lost. Throws what the generated code and WireReader throw. */
export function repairedDecode<T>(type: MessageType<T>, repairs: readonly Repair<T>[]): (bytes: Uint8Array) => T {
  return (bytes) => {
    const request = decodeStrictly(type, bytes) as T;
    const buffer = asBuffer(bytes);
    if (!buffer.includes(AWKWARD_KEY)) return request;
    for (const { path, put } of repairs) {
      const found = [...messagesAt(new WireReader(buffer), path)];
      if (found.length > 0) put(request, found);
    }
    return request;
  };
}

/** The object that the last of these Structs is; undefined where it holds what JSON does not have, which is refused later. */
export function structObject(found: readonly WireReader[]): object | undefined {
  try {
    // The parser makes own members, whatever their name.
    return JSON.parse(structToJsonText(found.at(-1) as WireReader)) as object;
  } catch (error) {
    if (error instanceof JsonValueError) return undefined;
    throw error;
  }
}

function* messagesAt(reader: WireReader, [field, ...deeper]: readonly number[]): Generator<WireReader> {
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag !== (((field ?? 0) << 3) | LENGTH_DELIMITED)) reader.skip(tag);
    else if (deeper.length === 0) yield reader.message();
    else yield* messagesAt(reader.message(), deeper);
  }
}
