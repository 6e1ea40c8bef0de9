// Decodes and checks the pushes of one call. A large one is worked on in slices of the event loop while others push too: theirs come
// between them.

import { MadeleineError } from '../../domain/errors.js';
import type { PayloadChecks } from '../../engine/group/payload-checks.js';
import type { PushCommand } from '../../engine/group/pushes.js';
import type { Callers } from '../../lib/callers.js';
import { CHECK_STEP, CODED_BYTE, type LoopSlices } from '../../lib/loop-slices.js';
import { Undecodable } from '../wire/definitions.js';
import { type DecodedPush, decodePush } from './push-decoder.js';
import { type PushLimits, toPushCommand } from './push-validation.js';

/** What is decoded in one go, whoever waits; the steps are of checks against schemas, two of the longest. */
const SMALL = { pushes: 32, bytes: 16 * 1024, steps: 1_000_000 };
/** What a push costs, in bytes of rows that are looked at: each of its own is decoded, checked and hashed. */
const BYTES_OF_PUSH = 1_024;

/** A push as it came, and what is to be done for it or what is wrong with it. */
export interface ReadPush {
  readonly push: DecodedPush;
  readonly command: PushCommand | MadeleineError;
}

export interface PushReaderOptions {
  /** Shared by all who have much to do at a time. */
  readonly slices: LoopSlices;
  readonly limits: PushLimits;
  readonly callers: Callers;
  readonly checks: PayloadChecks;
}

export class PushReader {
  readonly #options: PushReaderOptions;

  constructor(options: PushReaderOptions) {
    this.#options = options;
  }

  /** Reads the pushes in order. Rejects with FIELD_INVALID for bytes that are no push, or with the signal's reason. */
  async read(encoded: readonly Buffer[], caller: string, signal?: AbortSignal): Promise<readonly ReadPush[]> {
    const { slices, callers } = this.#options;
    const reads = isSmall(encoded) || !callers.areMany ? this.#readAtOnce(encoded) : [];
    const look = (bytes: Buffer) => {
      reads.push(this.#readOne(bytes, reads.length));
      return true;
    };
    const moreBytes = () => CHECK_STEP * stepsOf(reads.at(-1));
    await slices.each(caller, { items: encoded.slice(reads.length), bytesOf: costOf, moreBytes, look }, signal);
    return reads;
  }

  /** The command of a push, held against the schema of its topic, or the error that it is answered with; see toPushCommand. */
  commandOf(push: DecodedPush, path: string): PushCommand | MadeleineError {
    const { limits, checks } = this.#options;
    const command = toPushCommand(push, path, limits);
    if (command instanceof MadeleineError) return command;
    const { payload } = push.event ?? {};
    const met = checks.met(command.draft, payload?.value);
    // It may be as large as all of the payload.
    if (payload !== undefined) payload.value = undefined;
    return met === undefined ? command : { ...command, met };
  }

  /** All of them, unless it takes long to hold them against their schemas. */
  #readAtOnce(encoded: readonly Buffer[]): ReadPush[] {
    const reads: ReadPush[] = [];
    let steps = 0;
    for (const bytes of encoded) {
      if (steps > SMALL.steps) break;
      const read = this.#readOne(bytes, reads.length);
      reads.push(read);
      steps += stepsOf(read);
    }
    return reads;
  }

  #readOne(bytes: Buffer, index: number): ReadPush {
    const push = decodedOrRefused(bytes, this.#options.limits.maxEventBytes);
    return { push, command: this.commandOf(push, `events[${index}].`) };
  }
}

function isSmall(encoded: readonly Buffer[]): boolean {
  if (encoded.length > SMALL.pushes) return false;
  return encoded.reduce((sum, { byteLength }) => sum + byteLength, 0) <= SMALL.bytes;
}

function stepsOf(read: ReadPush | undefined): number {
  return read === undefined || read.command instanceof MadeleineError ? 0 : (read.command.met?.steps ?? 0);
}

function costOf({ byteLength }: Buffer): number {
  return BYTES_OF_PUSH + CODED_BYTE * byteLength;
}

function decodedOrRefused(bytes: Buffer, maxEventBytes: number): DecodedPush {
  try {
    return decodePush(bytes, maxEventBytes);
  } catch (error) {
    throw new Undecodable(error).refusal;
  }
}
