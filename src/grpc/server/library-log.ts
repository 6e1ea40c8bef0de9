// What the gRPC library would print on the standard error: told in our log, and values left out, as they may be secrets of callers.

import { setLogger } from '@grpc/grpc-js';
import type { Clock } from '../../lib/clock.js';
import type { Logger } from '../../telemetry.js';
import type { Millis } from '../../units.js';

/** Anybody may bring about such lines: they are told at most so often, with how many there were. */
const TELL_MS: Millis = 10_000;
const MAX_CHARACTERS = 300;
/** The line about metadata that is left out: its key, which is said only if it is one, then its value. */
const LEFT_OUT = /^Failed to add metadata entry (?:(?<key>[0-9a-z_.-]{1,64}): )?/;

export class LibraryLog {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #told = new Map<string, { atMs: Millis; untold: number }>();

  constructor({ logger, clock }: { readonly logger: Logger; readonly clock: Clock }) {
    this.#logger = logger;
    this.#clock = clock;
  }

  /** Takes the library's lines from now on. There is one library for the whole process: the last one to do so has them. */
  install(): void {
    const take = (...parts: readonly unknown[]) => this.take(parts.map(String).join(' '));
    setLogger({ error: take, info: take, debug: take });
  }

  take(line: string): void {
    const leftOut = LEFT_OUT.exec(line);
    if (leftOut === null) this.#tell({ line: plain(line) }, 'the gRPC library says');
    else this.#tell({ key: leftOut.groups?.['key'] ?? '' }, 'metadata of a call cannot be read and was left out');
  }

  #tell(fields: object, message: string): void {
    const nowMs = this.#clock.monotonicMs();
    const last = this.#told.get(message);
    if (last !== undefined && nowMs - last.atMs < TELL_MS) {
      last.untold += 1;
      return;
    }
    this.#told.set(message, { atMs: nowMs, untold: 0 });
    this.#logger.warn({ ...fields, untold: last?.untold ?? 0 }, message);
  }
}

function plain(line: string): string {
  return line.slice(0, MAX_CHARACTERS).replace(/[^ -~]/g, '?');
}
