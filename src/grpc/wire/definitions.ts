// Service definitions as the server registers them: the generated ones, with codecs of our own where a call is hot, and with
// requests that cannot be decoded carried into the handler, so that they are answered like any other bad request.

import { BinaryReader } from '@bufbuild/protobuf/wire';
import { fieldInvalid, MadeleineError } from '../../domain/errors.js';
import type { OutgoingMessage } from './outgoing.js';

/** Numbers that a request may have, tags and lengths among them: ten thousand acknowledgements have 60,000. */
const MAX_NUMBERS = 100_000;

/** Stands in for a request whose bytes are not a message, or have more of something than may be. */
export class Undecodable {
  /** What the call is answered with. */
  readonly refusal: MadeleineError;

  constructor(cause: unknown) {
    const what = cause instanceof Error ? cause.message : 'not a message of this type';
    this.refusal = cause instanceof MadeleineError ? cause : fieldInvalid('request', `cannot be decoded: ${what}`);
  }
}

interface GeneratedMethod {
  readonly name: string;
  readonly requestType: { decode(input: BinaryReader): unknown };
  readonly responseType: { encode(message: never): { finish(): Uint8Array } };
  readonly requestStream: boolean;
  readonly responseStream: boolean;
}

interface GeneratedService {
  readonly fullName: string;
  readonly methods: Readonly<Record<string, GeneratedMethod>>;
}

/** Codecs that replace the generated ones of a method. */
export interface MethodCodec {
  readonly decode?: (bytes: Uint8Array) => unknown;
  readonly encode?: (message: never) => Uint8Array;
}

/** The encoder of handlers that answer with encoded messages. */
export const encoded: Pick<Required<MethodCodec>, 'encode'> = { encode: (bytes: Uint8Array) => bytes };

/** The encoder of handlers that send encoded messages by a lane. */
export const outgoing: Pick<Required<MethodCodec>, 'encode'> = { encode: (message: OutgoingMessage) => message.take() };

/** A definition in the form that nice-grpc takes, method by method. */
export interface ServerDefinition {
  readonly [method: string]: {
    readonly path: string;
    readonly requestStream: boolean;
    readonly responseStream: boolean;
    readonly requestSerialize: (message: unknown) => Buffer;
    readonly requestDeserialize: (bytes: Buffer) => unknown;
    readonly responseSerialize: (message: unknown) => Uint8Array;
    readonly responseDeserialize: (bytes: Buffer) => unknown;
  };
}

/** The server's definition of a generated service; `codecs` by method name, such as `pushEvent`. */
export function serverDefinition(
  service: GeneratedService,
  codecs: Readonly<Record<string, MethodCodec>>,
): ServerDefinition {
  const methods = Object.entries(service.methods).map(([key, method]) => {
    const {
      decode = (bytes: Uint8Array) => decodeStrictly(method.requestType, bytes),
      encode = (message: never) => method.responseType.encode(message).finish(),
    } = codecs[key] ?? {};
    return [
      key,
      {
        path: `/${service.fullName}/${method.name}`,
        requestStream: method.requestStream,
        responseStream: method.responseStream,
        requestSerialize: clientOnly,
        responseDeserialize: clientOnly,
        requestDeserialize: (bytes: Buffer) => decodeOrCarry(decode, bytes),
        responseSerialize: (message: unknown) => uncopied(encode(message as never)),
      },
    ] as const;
  });
  return Object.fromEntries(methods);
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Counts what it reads: members of lists and maps are made only as far as there may be any. */
class BoundedReader extends BinaryReader {
  #left = MAX_NUMBERS;

  constructor(bytes: Uint8Array) {
    super(bytes, (text) => UTF8.decode(text));
    // Members of each object: tags, lengths, and members of lists that are packed are read by them.
    const { uint32, uint64 } = this;
    this.uint32 = () => {
      this.#count();
      return uint32.call(this);
    };
    this.uint64 = () => {
      this.#count();
      return uint64.call(this);
    };
  }

  #count(): void {
    this.#left -= 1;
    if (this.#left < 0) throw fieldInvalid('request', `has more than ${MAX_NUMBERS} fields and members of lists`);
  }
}

/**
 * Decodes with the generated code, which by itself is lenient: it would turn bytes that are not UTF-8 into U+FFFD, so that two
 * names become one, would stop at the first byte that ends a group, and would make lists of millions of members, whatever is
 * allowed.
 */
export function decodeStrictly(type: GeneratedMethod['requestType'], bytes: Uint8Array): unknown {
  const reader = new BoundedReader(bytes);
  const message = type.decode(reader);
  if (reader.pos !== reader.len) throw new Error('the message ends before its bytes do');
  return message;
}

function decodeOrCarry(decode: (bytes: Uint8Array) => unknown, bytes: Buffer): unknown {
  try {
    return decode(bytes);
  } catch (error) {
    return new Undecodable(error);
  }
}

function clientOnly(): never {
  throw new Error('a server neither writes requests nor reads responses');
}

/**
 * nice-grpc hands what it gets to Buffer.from, which copies views of memory, but takes over an ArrayBuffer as it is. Large
 * messages own theirs.
 */
function uncopied(bytes: Uint8Array): Uint8Array {
  const { buffer, byteLength } = bytes;
  return byteLength > 0 && byteLength === buffer.byteLength ? (buffer as unknown as Uint8Array) : bytes;
}
