// The flags of what reads events: their context, and what selects them.

import type { Command } from 'commander';
import { type EventFilter, PayloadEncoding } from '../../../../generated/madeleine/v1/event.js';
import type { ReadEventsRequest } from '../../../../generated/madeleine/v1/event_service.js';
import type { Seconds } from '../../text/time-text.js';
import { defined } from '../../text/values.js';
import { addFilterFlags, type FilterFlags, filterOf } from '../filters/filter-options.js';

export interface ReadFilterFlags extends FilterFlags {
  readonly context?: string;
  readonly since?: Seconds;
}

export function addReadFlags(command: Command): Command {
  return addFilterFlags(command.option('--context <name>', 'context; "all": every context (default "default")'));
}

/** The request to read what the flags select; payloads as stored, so that nothing is lost. */
export function readRequest(flags: ReadFilterFlags): Partial<ReadEventsRequest> {
  const filter = readFilter(flags);
  return {
    ...defined({ filter }),
    payloadEncoding: PayloadEncoding.PAYLOAD_ENCODING_BYTES,
  } as Partial<ReadEventsRequest>;
}

/** What the flags select; undefined: every event of the default context. */
export function readFilter(flags: ReadFilterFlags): Partial<EventFilter> | undefined {
  const { context, since: startTime } = flags;
  const bounds = defined({ context, startTime });
  return Object.keys(bounds).length === 0 ? filterOf(flags) : { ...filterOf(flags), ...bounds };
}
