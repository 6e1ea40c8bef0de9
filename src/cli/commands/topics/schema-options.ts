// What the command line takes for a schema, and for how schemas have to go together.

import { readFileSync } from 'node:fs';
import { InvalidArgumentError } from 'commander';
import { SchemaCompatibility } from '../../../../generated/madeleine/v1/topic_service.js';
import { textProblem, withoutMark } from '../../text/input-text.js';

const PREFIX = 'SCHEMA_COMPATIBILITY_';

/** The modes by their names on the command line, such as `full-transitive`. */
const MODES: ReadonlyMap<string, SchemaCompatibility> = new Map(
  Object.entries(SchemaCompatibility).flatMap(([name, value]) =>
    typeof value === 'number' && value > 0
      ? [[name.slice(PREFIX.length).toLowerCase().replaceAll('_', '-'), value]]
      : [],
  ),
);

export function compatibilityNames(): string {
  return [...MODES.keys()].join(', ');
}

export function readCompatibility(text: string): SchemaCompatibility {
  const mode = MODES.get(text.toLowerCase().replaceAll('_', '-'));
  if (mode === undefined) throw new InvalidArgumentError(`It has to be one of ${compatibilityNames()}.`);
  return mode;
}

export function compatibilityName(compatibility: SchemaCompatibility): string {
  return [...MODES].find(([, value]) => value === compatibility)?.[0] ?? '';
}

/** The text of a file in UTF-8. */
export function readSchemaFile(path: string): string {
  const bytes = withoutMark(readBytes(path));
  const problem = textProblem(bytes);
  if (problem !== undefined) throw new InvalidArgumentError(`${path} ${problem}.`);
  return bytes.toString();
}

function readBytes(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new InvalidArgumentError(`Cannot read ${path}: ${(cause as NodeJS.ErrnoException).code}.`);
  }
}
