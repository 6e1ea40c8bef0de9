// The types of a loaded contract. What the loader leaves out of the descriptors that it makes is put back: full names of types, names of
// fields in JSON, which fields are optional.

import { create, createFileRegistry, type FileRegistry, fromBinary } from '@bufbuild/protobuf';
import {
  type DescriptorProto,
  type FieldDescriptorProto,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from '@bufbuild/protobuf/wkt';

/** The types of these files, each a descriptor in bytes. */
export function registryOf(files: readonly Uint8Array[]): FileRegistry {
  const file = files.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
  const names = new Set(file.flatMap(typeNames));
  for (const one of file) for (const message of one.messageType) complete(message, one.package, names);
  // Without imports among them: those of protobuf itself are what all others stand on.
  file.sort((a, b) => Number(b.package === 'google.protobuf') - Number(a.package === 'google.protobuf'));
  return createFileRegistry(create(FileDescriptorSetSchema, { file }));
}

function typeNames({ package: scope, messageType, enumType }: FileDescriptorProto): string[] {
  return [
    ...messageType.flatMap((message) => namesIn(message, scope)),
    ...enumType.map(({ name }) => `${scope}.${name}`),
  ];
}

function namesIn({ name, nestedType, enumType }: DescriptorProto, outer: string): string[] {
  const scope = `${outer}.${name}`;
  const nested = nestedType.flatMap((message) => namesIn(message, scope));
  return [scope, ...nested, ...enumType.map((one) => `${scope}.${one.name}`)];
}

function complete(message: DescriptorProto, outer: string, names: ReadonlySet<string>): void {
  const scope = `${outer}.${message.name}`;
  for (const field of message.field) completeField(field, message, scope, names);
  for (const nested of message.nestedType) complete(nested, scope, names);
}

function completeField(
  field: FieldDescriptorProto,
  { oneofDecl }: DescriptorProto,
  scope: string,
  names: ReadonlySet<string>,
): void {
  field.jsonName ||= field.name.replace(/_+(.)/g, (_, letter: string) => letter.toUpperCase());
  if (field.typeName !== '') field.typeName = `.${fullName(field.typeName, scope, names)}`;
  // An optional field stands in a group of its own, which is named after it.
  if (oneofDecl[field.oneofIndex]?.name === `_${field.name}`) field.proto3Optional = true;
}

/** The type that a name means within a scope: the innermost there is. */
function fullName(name: string, scope: string, names: ReadonlySet<string>): string {
  for (let within = scope; within !== ''; within = within.slice(0, Math.max(0, within.lastIndexOf('.')))) {
    if (names.has(`${within}.${name}`)) return `${within}.${name}`;
  }
  return name.replace(/^\./, '');
}
