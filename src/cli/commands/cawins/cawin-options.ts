// The flags of a callback and of what fires it, shared by `cawins create|expect|update`.

import { type Command, InvalidArgumentError } from 'commander';
import { type Callback, CawinState } from '../../../../generated/madeleine/v1/cawin_service.js';
import type { EventStatus } from '../../../../generated/madeleine/v1/event.js';
import { readTextFile } from '../../connection/files.js';
import type { ClientOptions } from '../../connection/run.js';
import type { Seconds } from '../../text/time-text.js';
import { duration, endStatuses, property } from '../../text/values.js';

export interface CallbackFlags extends ClientOptions {
  readonly secretFile?: string;
  readonly header?: Readonly<Record<string, string>> | false;
  readonly timeout?: Seconds;
  readonly notifyOn?: readonly EventStatus[];
}

export function addCallbackFlags(command: Command): Command {
  return command
    .option('--secret-file <path>', 'file with the secret that signs: whsec_ and 24 to 64 bytes in base64')
    .option('--header <name=value>', 'header to send along; repeatable', property)
    .option('--timeout <duration>', 'time for one call, 1s to 60s (default 10s)', duration)
    .option('--notify-on <status>', 'occurred, invalidated or expired; repeatable (default all three)', endStatuses);
}

/** The callback that the flags describe. Throws UsageError if the secret cannot be read, or is no text. */
export async function callbackOf(url: string, flags: CallbackFlags): Promise<Callback> {
  const { secretFile, header, timeout } = flags;
  const secret = secretFile === undefined ? '' : (await readTextFile(secretFile)).toString().trim();
  return { url, secret, headers: header === false ? {} : { ...header }, timeout };
}

/** A state of cawins, added to those of before. */
export function cawinStates(text: string, former: readonly CawinState[] | undefined): CawinState[] {
  const value = CawinState[`CAWIN_STATE_${text.toUpperCase()}` as keyof typeof CawinState];
  if (value === undefined || value <= 0) {
    throw new InvalidArgumentError('It has to be waiting, firing, fired, failed, inactive or closed.');
  }
  return [...(former ?? []), value];
}
