// The contract that `madeleine call` reads at run time is the one that the compiler of protobuf reads.

import { readFileSync } from 'node:fs';
import { createFileRegistry, type DescField, type DescMessage, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { describe, expect, it } from 'vitest';
import { findMethod, loadContract, nameOf } from '../../../src/cli/commands/rpc/contract.js';

const bytes = readFileSync(new URL('../../../generated/descriptor.binpb', import.meta.url));
const compiled = createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes));
const methods = loadContract();

const fieldText = (field: DescField) => {
  const { jsonName, number, parent, fieldKind, presence, oneof, message, enum: values } = field;
  const scalar = 'scalar' in field ? field.scalar : undefined;
  const keys = 'mapKey' in field ? field.mapKey : undefined;
  // The loader has types of protobuf itself built in, whose fields it names as in JSON.
  const name = parent.typeName.startsWith('google.') ? jsonName : field.name;
  return [name, jsonName, number, fieldKind, presence, oneof?.name, message?.typeName, values?.typeName, scalar, keys];
};

/** Everything that a message is made of, with the messages in it. */
function shapeOf(root: DescMessage): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  const visit = (message: DescMessage) => {
    if (message.typeName in found) return;
    found[message.typeName] = message.fields.map(fieldText);
    for (const { message: inner } of message.fields) if (inner !== undefined) visit(inner);
  };
  visit(root);
  return found;
}

describe('the contract at run time', () => {
  it('has every method', () => {
    const services = [...compiled].filter((type) => type.kind === 'service');
    const names = services.flatMap(({ typeName, methods }) => methods.map(({ name }) => `${typeName}/${name}`));
    const own = names.filter((name) => name.startsWith('madeleine.'));
    expect(methods.map(({ service, name }) => `${service}/${name}`).sort()).toEqual(own.sort());
  });

  it.each(methods.map((method) => [nameOf(method), method] as const))('knows what %s takes and gives', (_, method) => {
    const service = compiled.getService(method.service);
    const same = service?.methods.find(({ name }) => name === method.name);
    expect(shapeOf(method.input)).toEqual(shapeOf(same?.input as DescMessage));
    expect(shapeOf(method.output)).toEqual(shapeOf(same?.output as DescMessage));
    expect(method.requestStream).toBe(same?.methodKind === 'client_streaming' || same?.methodKind === 'bidi_streaming');
    expect(method.responseStream).toBe(
      same?.methodKind === 'server_streaming' || same?.methodKind === 'bidi_streaming',
    );
  });

  it('finds a method by each of its names', () => {
    const names = [
      'EventService/GetEvent',
      'madeleine.v1.EventService/GetEvent',
      '/madeleine.v1.EventService/GetEvent',
    ];
    for (const name of [...names, 'EventService.GetEvent', 'madeleine.v1.EventService.GetEvent']) {
      expect(nameOf(findMethod(methods, name))).toBe('EventService/GetEvent');
    }
    for (const name of ['', '/', 'GetEvent', 'EventService/', 'EventService/getEvent', 'a.b.c']) {
      expect(() => findMethod(methods, name), name).toThrow('there is no method');
    }
  });
});
