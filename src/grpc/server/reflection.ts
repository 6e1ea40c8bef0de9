// Reflection: tells tools that have no .proto files what the contract is, with its comments, and what the details of errors are. The
// library finds messages, enums, services and their methods; what lies in messages and enums is found here.

import { createFileRegistry, type DescEnum, type DescMessage, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import type { CallContext } from 'nice-grpc';
import { ServerReflection } from 'nice-grpc-server-reflection';
import type {
  ServerReflectionRequest,
  ServerReflectionResponse,
} from 'nice-grpc-server-reflection/lib/proto/grpc/reflection/v1/reflection_pb.js';

export class Reflection {
  readonly #library: ReturnType<typeof ServerReflection>;
  readonly #owners: ReadonlyMap<string, string>;

  /** `descriptors`: an encoded FileDescriptorSet; `services`: those that are listed. */
  constructor(descriptors: Uint8Array, services: readonly string[]) {
    this.#library = ServerReflection(descriptors, services);
    this.#owners = ownersOf(descriptors);
  }

  async *serverReflectionInfo(
    requests: AsyncIterable<ServerReflectionRequest>,
    context: CallContext,
  ): AsyncGenerator<ServerReflectionResponse> {
    for await (const request of requests) yield* this.#answers(request, context);
  }

  /** The library is asked for the file of the symbol's owner, and its answer is of what the caller asked. */
  async *#answers(request: ServerReflectionRequest, context: CallContext): AsyncGenerator<ServerReflectionResponse> {
    const symbol = request.getFileContainingSymbol();
    const owner = this.#owners.get(symbol);
    if (owner !== undefined) request.setFileContainingSymbol(owner);
    for await (const answer of this.#library.serverReflectionInfo(one(request), context)) {
      if (owner !== undefined) request.setFileContainingSymbol(symbol);
      // The library leaves it out of its refusals.
      yield (answer as ServerReflectionResponse).setOriginalRequest(request);
    }
  }
}

async function* one<T>(item: T): AsyncGenerator<T> {
  yield item;
}

/** What fields, oneofs and values of enums lie in, by their full names. */
function ownersOf(descriptors: Uint8Array): ReadonlyMap<string, string> {
  const types = [...createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptors))];
  return new Map(
    types.flatMap((type) => {
      if (type.kind === 'message') return membersOf(type);
      return type.kind === 'enum' ? valuesOf(type) : [];
    }),
  );
}

function membersOf({ typeName, fields, oneofs }: DescMessage): [string, string][] {
  return [...fields, ...oneofs].map(({ name }) => [`${typeName}.${name}`, typeName]);
}

/** The values of an enum are named beside it, and by some tools, grpcurl among them, in it. */
function valuesOf({ typeName, values }: DescEnum): [string, string][] {
  const scopes = [typeName.slice(0, typeName.lastIndexOf('.')), typeName];
  return values.flatMap(({ name }) => scopes.map((scope): [string, string] => [`${scope}.${name}`, typeName]));
}
