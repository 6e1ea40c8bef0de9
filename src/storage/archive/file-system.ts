// What archives ask of the file system; tests put another one there, which fails or ends in the middle.

import * as fs from 'node:fs/promises';

export type FileSystem = Pick<typeof fs, 'open' | 'rename' | 'rm' | 'mkdir' | 'readFile'>;

export const systemFiles: FileSystem = fs;

/** Makes the names in a directory last. */
export async function syncDirectory(files: FileSystem, path: string): Promise<void> {
  const directory = await files.open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Writes a file that is not there yet, and makes its bytes last. */
export async function writeSynced(files: FileSystem, path: string, text: string): Promise<void> {
  const file = await files.open(path, 'wx', 0o640);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}
