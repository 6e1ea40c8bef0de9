// Looks whether an event has occurred, without a wait: nothing is awaited afterwards that was not before.

import { type Event, EventStatus, PayloadEncoding } from '../../../../generated/madeleine/v1/event.js';
import type { MadeleineClient } from '../../connection/client.js';
import { CommandFailed, ExitCode } from '../../connection/failures.js';
import type { Session } from '../../connection/run.js';
import { eventJson, eventLine } from '../../text/event-json.js';
import type { Seconds } from '../../text/time-text.js';
import { defined } from '../../text/values.js';

const { PAYLOAD_ENCODING_BYTES: payloadEncoding } = PayloadEncoding;
/** How far back a wait looks, too. */
const LOOK_BACK_MS = 30 * 86_400_000;
const PAGE_SIZE = 10;

export interface LookOptions {
  readonly context?: string;
  readonly since?: Seconds;
}

/** The newest event of the topic that has this in its payload and was not invalidated; undefined: there is none. */
export async function lookFor(
  { client }: Session,
  topic: string,
  description: Readonly<Record<string, unknown>>,
  { context, since }: LookOptions,
): Promise<Event | undefined> {
  const startTime = since ?? { seconds: BigInt(Math.floor((Date.now() - LOOK_BACK_MS) / 1000)), nanos: 0 };
  const filter = { topics: [topic], description, startTime, ...defined({ context }) };
  for (let pageToken = '', isFirst = true; isFirst || pageToken !== ''; isFirst = false) {
    const request = { filter, newestFirst: true, pageSize: PAGE_SIZE, pageToken, payloadEncoding };
    const page = await client.call((options) => client.events.listEvents(request, options));
    for (const event of page.events) {
      if (await stillHolds(client, event)) return event;
    }
    pageToken = page.nextPageToken;
  }
  return undefined;
}

/** Entries of the log say that an event occurred also when it was invalidated later. */
async function stillHolds(client: MadeleineClient, { id }: Event): Promise<boolean> {
  const request = { key: { $case: 'id', value: id } as const };
  const { event } = await client.call((options) => client.events.getEvent(request, options));
  return event?.status === EventStatus.EVENT_STATUS_OCCURRED;
}

/** Prints the event, or throws CommandFailed with the exit code of what is not there in time. */
export async function printFound({ output }: Session, event: Event | undefined): Promise<void> {
  if (event === undefined) {
    throw new CommandFailed('no such event has occurred; nothing is awaited', { exitCode: ExitCode.NOT_IN_TIME });
  }
  await output.line(output.json ? eventJson(event) : eventLine(event, output.columns));
}
