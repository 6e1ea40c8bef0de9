// What a consumer does, and the command by which an operator mends what holds it up: typed into a shell, so names are quoted for one.

import type { ConsumerKey } from '../../../domain/consumers/consumer.js';
import type { WindowActivity } from '../../../domain/consumers/delivery-types.js';
import { assertNever } from '../../../domain/errors.js';
import { DEFAULT_CONTEXT } from '../../../domain/names.js';
import type { Position } from '../../../units.js';

/** What a consumer does; UNKNOWN: this instance is about to run it, or to let go of it. */
export type ConsumerActivity = WindowActivity | 'STOPPING' | 'ELSEWHERE' | 'UNKNOWN';

export interface Mendable {
  readonly activity: ConsumerActivity;
  /** The position that holds it up, or that was delivered first of what is not acknowledged; 0: none. */
  readonly position: Position;
  /** Address of the instance that runs it, if that is another one. */
  readonly owner?: string | undefined;
}

/** Returns the command that mends what a consumer does, or tells more of it; empty: there is nothing to mend. */
export function mendCommand(key: ConsumerKey, { activity, position, owner = '' }: Mendable): string {
  switch (activity) {
    case 'NO_MEMBER':
      return command(key, ['subscribe']);
    case 'WAITING_FOR_ACKS':
      return position === 0 ? command(key, ['subscribe']) : command(key, ['ack'], [String(position)]);
    case 'PAUSED':
      return command(key, ['consumers', 'resume'], [], owner === '' ? [] : ['--server', owner]);
    case 'BLOCKED_BY_RETRY':
      return command(key, ['reject'], [String(position), '--park']);
    case 'ELSEWHERE':
      return command(key, ['consumers', 'explain'], [], ['--server', owner]);
    case 'IDLE':
    case 'DELIVERING':
    case 'STOPPING':
    case 'UNKNOWN':
      return '';
    default:
      return assertNever(activity);
  }
}

/** A command of the command line about a consumer; flags stand first, as a name may begin with a dash. */
function command(
  { context, name }: ConsumerKey,
  words: readonly string[],
  more: readonly string[] = [],
  flags: readonly string[] = [],
): string {
  const ofContext = context === DEFAULT_CONTEXT ? [] : ['--context', context];
  const rest = name.startsWith('-') ? ['--', name] : [name];
  return ['madeleine', ...words, ...ofContext, ...flags, ...rest, ...more].map(shellWord).join(' ');
}

/** Returns the text as one word of a shell. */
function shellWord(text: string): string {
  return /^[\w@%+:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
