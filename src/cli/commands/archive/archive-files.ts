// What commands over files of archives share.

import { type FoundArchive, findArchives } from '../../../storage/archive/found-archives.js';
import { UsageError } from '../../connection/failures.js';
import type { CliDeps } from '../../deps.js';
import { Output } from '../../text/output.js';

export interface FileFlags {
  readonly json?: true;
}

/** The archives that arguments name. Throws UsageError where a path cannot be read, or has none. */
export async function archivesOf(paths: readonly string[]): Promise<readonly FoundArchive[]> {
  const found = await findArchives(paths).catch((error: Error) => {
    throw new UsageError(error.message, { cause: error });
  });
  if (found.length === 0) throw new UsageError(`there is no archive in ${paths.join(', ')}`);
  return found;
}

export function outputOf({ stdout, stderr }: CliDeps, { json }: FileFlags): Output {
  return new Output({ stdout, stderr, json: json === true });
}
