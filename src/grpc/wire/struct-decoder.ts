// Decodes requests that hold a Struct or a map where the generated code is wrong: it keeps both as objects and assigns to them, so
// that a member named `__proto__` would vanish, and so would one whose Value has no kind. A filter would then let events pass that
// do not match.

import { MAX_DESCRIPTION_BYTES } from '../../domain/descriptions/description.js';
import { asBuffer } from '../../domain/json/bytes.js';
import { decodeStrictly } from './definitions.js';
import { JsonTooLongError, JsonValueError, structToJsonText } from './json-value.js';
import { WireReader } from './wire-reader.js';

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

/** Stands in for a description that cannot be read; whoever takes the description refuses it with the problem. */
export class UnreadableDescription {
  readonly problem: string;

  constructor(problem: string) {
    this.problem = problem;
  }
}

/** Decodes with the generated code, and puts right what it lost. Throws what the generated code and WireReader throw. */
export function repairedDecode<T>(type: MessageType<T>, repairs: readonly Repair<T>[]): (bytes: Uint8Array) => T {
  return (bytes) => {
    const request = decodeStrictly(type, bytes) as T;
    const buffer = asBuffer(bytes);
    for (const { path, put } of repairs) {
      const found = [...messagesAt(new WireReader(buffer), path)];
      if (found.length > 0) put(request, found);
    }
    return request;
  };
}

/** The description that the last of these Structs is: an object, whose members are its own, whatever their names. */
export function descriptionObject(found: readonly WireReader[]): object {
  const text = descriptionText(found.at(-1) as WireReader);
  return text instanceof UnreadableDescription ? text : (JSON.parse(text) as object);
}

/** The JSON text of a description in a Struct, as far as one may be long; see `structToJsonText`. */
export function descriptionText(struct: WireReader): string | UnreadableDescription {
  try {
    return structToJsonText(struct, MAX_DESCRIPTION_BYTES);
  } catch (error) {
    if (error instanceof JsonTooLongError)
      return new UnreadableDescription(`has more than ${MAX_DESCRIPTION_BYTES} bytes`);
    if (error instanceof JsonValueError) return new UnreadableDescription(error.problem);
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
