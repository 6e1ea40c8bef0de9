// The contract as the package ships it, read at run time: services and methods, and their messages as protobuf JSON.

import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  type DescMessage,
  type FileRegistry,
  fromBinary,
  fromJson,
  type JsonValue,
  type Message,
  toBinary,
  toJsonString,
} from '@bufbuild/protobuf';
import { loadSync, type ServiceDefinition } from '@grpc/proto-loader';
import type { MethodDefinition } from 'nice-grpc';
import { PACKAGE_ROOT } from '../../../lib/package-root.js';
import { UsageError } from '../../connection/failures.js';
import { parseExactJson } from '../../text/exact-json.js';
import { registryOf } from './descriptors.js';

/** The package of all services: their names may be given without it. */
const PACKAGE = 'madeleine.v1.';
const FOLDER = 'madeleine/v1';

type AnyMethod = ServiceDefinition[string];
type MethodCodec = Omit<MethodDefinition<Message, Message, Message, Message>, 'requestStream' | 'responseStream'>;

export interface Method {
  /** The service's full name. */
  readonly service: string;
  readonly name: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly input: DescMessage;
  readonly output: DescMessage;
  /** What clients need to know of it, besides which of its sides are streams. */
  readonly definition: MethodCodec;
}

/** All methods, service by service, as the files have them. */
export function loadContract(): readonly Method[] {
  const proto = fileURLToPath(new URL('proto', PACKAGE_ROOT));
  const files = readdirSync(new URL(`proto/${FOLDER}`, PACKAGE_ROOT)).filter((name) => name.endsWith('.proto'));
  const loaded = loadSync(
    files.map((name) => `${FOLDER}/${name}`),
    { includeDirs: [proto], keepCase: true },
  );
  const services = Object.entries(loaded).filter((entry): entry is [string, ServiceDefinition] => isService(entry[1]));
  const [any] = services.flatMap(([, methods]) => Object.values(methods));
  // Every type comes with all files.
  const registry = registryOf(any?.requestType.fileDescriptorProtos ?? []);
  return services.flatMap(([service, methods]) =>
    Object.entries(methods).map(([name, method]) => methodOf(service, name, method, registry)),
  );
}

/** The method that is named `EventService/PushEvent`, with the package or without it. Throws UsageError that names those there are. */
export function findMethod(methods: readonly Method[], named: string): Method {
  const name = named.replace(/^\//, '').replace(/\.(?=[^./]+$)(?!.*\/)/, '/');
  const found = methods.find((method) => [nameOf(method), `${method.service}/${method.name}`].includes(name));
  if (found !== undefined) return found;
  const service = methods.filter((method) =>
    [shortName(method.service), method.service].includes(name.split('/')[0] ?? ''),
  );
  const there =
    service.length > 0 ? service.map(nameOf) : [...new Set(methods.map((method) => shortName(method.service)))];
  throw new UsageError(`there is no method "${named}": there are ${there.join(', ')}`);
}

/** A method's name without the package. */
export function nameOf({ service, name }: Method): string {
  return `${shortName(service)}/${name}`;
}

function shortName(service: string): string {
  return service.startsWith(PACKAGE) ? service.slice(PACKAGE.length) : service;
}

/** Reads a message from its JSON. Throws an Error that goes on after the text's name, such as `is not JSON`. */
export function parseMessage(type: DescMessage, text: string): Message {
  const json = parseExactJson(text) as JsonValue;
  try {
    return fromJson(type, json);
  } catch (cause) {
    throw new Error(`is no ${type.name}: ${(cause as Error).message}`, { cause });
  }
}

/** A message as its JSON on one line. */
export function messageText(type: DescMessage, message: Message): string {
  return toJsonString(type, message);
}

function isService(entry: object): entry is ServiceDefinition {
  return !('format' in entry);
}

function methodOf(service: string, name: string, loaded: AnyMethod, registry: FileRegistry): Method {
  const described = registry.getService(service)?.methods.find((method) => method.name === name);
  if (described === undefined) throw new Error(`${service}/${name} is not described`);
  const { input, output } = described;
  // The library's own objects know nothing of how protobuf writes times, durations and values in JSON.
  const definition: MethodCodec = {
    path: loaded.path,
    requestSerialize: (message) => toBinary(input, message),
    requestDeserialize: (bytes) => fromBinary(input, bytes),
    responseSerialize: (message) => toBinary(output, message),
    responseDeserialize: (bytes) => fromBinary(output, bytes),
    options: {},
  };
  const { requestStream, responseStream } = loaded;
  return { service, name, requestStream, responseStream, input, output, definition };
}
