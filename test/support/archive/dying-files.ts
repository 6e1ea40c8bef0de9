// A file system, and other parts, that are there for so many steps, and then for none: as a process that is killed between two of them
// leaves them.

import type { FileHandle } from 'node:fs/promises';
import { type FileSystem, systemFiles } from '../../../src/storage/archive/file-system.js';

/** Steps of a file that change something, or say that they last. */
const FILE_STEPS = new Set(['write', 'writeFile', 'truncate', 'sync']);

export class Died extends Error {
  override readonly name = 'Died';
}

export class DyingFiles {
  #left: number;
  /** Steps that were made. */
  steps = 0;

  constructor(left: number) {
    this.#left = left;
  }

  get isDead(): boolean {
    return this.#left <= 0;
  }

  dieAfter(steps: number): void {
    this.#left = steps;
  }

  readonly files: FileSystem = {
    open: (async (...given: Parameters<FileSystem['open']>) => {
      this.#step();
      return this.#dying(await systemFiles.open(...given));
    }) as FileSystem['open'],
    rename: this.#stepping('rename'),
    rm: this.#stepping('rm'),
    mkdir: this.#stepping('mkdir'),
    readFile: systemFiles.readFile,
  };

  /** The part, which dies before a call or before its answer. */
  part<T extends object>(part: T): T {
    return new Proxy(part, {
      get: (target, name) => {
        const member = Reflect.get(target, name) as unknown;
        if (typeof member !== 'function') return member;
        return async (...given: unknown[]) => {
          this.#step();
          const answer = await (member as (...rest: unknown[]) => unknown).apply(target, given);
          this.#step();
          return answer;
        };
      },
    });
  }

  #stepping<Name extends 'rename' | 'rm' | 'mkdir'>(name: Name): FileSystem[Name] {
    return (async (...given: unknown[]) => {
      this.#step();
      return (systemFiles[name] as (...rest: unknown[]) => Promise<unknown>)(...given);
    }) as unknown as FileSystem[Name];
  }

  #dying(file: FileHandle): FileHandle {
    return new Proxy(file, {
      get: (target, name) => {
        const member = Reflect.get(target, name) as unknown;
        if (typeof member !== 'function') return member;
        return (...given: unknown[]) => {
          if (FILE_STEPS.has(String(name))) this.#step();
          return (member as (...rest: unknown[]) => unknown).apply(target, given);
        };
      },
    });
  }

  #step(): void {
    if (this.#left <= 0) throw new Died('the process has ended');
    this.#left -= 1;
    this.steps += 1;
  }
}
