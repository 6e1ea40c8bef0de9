// `madeleine invalidate`: withdraws an event that is awaited or has occurred, and says first which one that is.

import type { Command } from 'commander';
import { type Event, EventStatus, PayloadEncoding } from '../../../../generated/madeleine/v1/event.js';
import { answered } from '../../connection/calls.js';
import { CommandFailed } from '../../connection/failures.js';
import { type ClientOptions, clientCommand, runClient, type Session } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { eventJson, payloadText, statusText } from '../../text/event-json.js';
import { cut, printable } from '../../text/output.js';
import { timestampText } from '../../text/time-text.js';
import { uint64 } from '../../text/values.js';

interface InvalidateFlags extends ClientOptions {
  readonly reason: string;
  readonly dryRun?: true;
}

const {
  EVENT_STATUS_INVALIDATED: INVALIDATED,
  EVENT_STATUS_AWAITED: AWAITED,
  EVENT_STATUS_EXPIRED: EXPIRED,
} = EventStatus;
const { PAYLOAD_ENCODING_BYTES: payloadEncoding } = PayloadEncoding;
/** Characters of a payload that are enough to see which event it is. */
const SHOWN = 120;

const HELP = `
Takes the id of the event: the number behind "event" in what push, read and tail print, not its position. Says which event that
is before it is withdrawn; --dry-run says only that.
The entry that says that the event occurred stays in the log; another one says that it was invalidated. Whoever expects the
event is told. One that is invalidated already stays as it is, with the reason that was given first; one that has expired cannot
be invalidated (exit code 1).

Examples:
  $ madeleine invalidate 17 --dry-run
  $ madeleine invalidate 17 --reason 'paid twice'
  $ madeleine read --status invalidated`;

export function invalidateCommand(deps: CliDeps): Command {
  return clientCommand('invalidate', 'withdraw an event that is awaited or has occurred')
    .argument('<event>', 'id of the event, not its position', uint64)
    .option('--reason <text>', 'why, for those who read it', '')
    .option('--dry-run', 'only tell what it would do')
    .addHelpText('after', HELP)
    .action((id: bigint, flags: InvalidateFlags) =>
      runClient(deps, flags, (session) => invalidate(session, id, flags)),
    );
}

async function invalidate(session: Session, id: bigint, flags: InvalidateFlags): Promise<void> {
  const { client, output } = session;
  const key = { $case: 'id', value: id } as const;
  const found = await client.call((options) => client.events.getEvent({ key, payloadEncoding }, options));
  const event = answered(found.event);
  const { reason, dryRun = false } = flags;
  if (event.status === EXPIRED) throw new CommandFailed(printable(expiredText(event)));
  if (event.status !== INVALIDATED) {
    output.notice(printable(`${dryRun ? 'would invalidate' : 'invalidating'} ${whichText(event)}`));
  }
  const now = dryRun ? event : await invalidated(session, id, reason);
  const isOther = event.status === INVALIDATED || (!dryRun && now.invalidationReason !== reason);
  if (isOther) output.notice(printable(stayedText(now, reason)));
  if (output.json) await output.line(eventJson(now));
  else if (now.status === INVALIDATED) await output.line(printable(invalidatedText(now)));
}

async function invalidated({ client }: Session, id: bigint, reason: string): Promise<Event> {
  const request = { id, reason, payloadEncoding };
  const { event } = await client.call((options) => client.events.invalidateEvent(request, options));
  return answered(event);
}

/** Which event it is: by its id and place, who pushed it, and what it says. */
function whichText(event: Event): string {
  const { id, position, topic, issuer, status, createdAt, payload, description, endedById = id } = event;
  const ended = endedById === id ? '' : ` (ended by event ${endedById})`;
  const where =
    status === AWAITED ? 'awaited' : `${statusText(status)} at position ${position}, ${timestampText(createdAt)}`;
  const what = payload === undefined ? JSON.stringify(description ?? {}) : payloadText(payload);
  return `event ${id}${ended} of topic ${topic} by ${issuer}, ${where}: ${cut(what, SHOWN)}`;
}

/** Why it cannot be withdrawn. */
function expiredText({ id, topic, expiresAt }: Event): string {
  return `event ${id} of topic ${topic} has expired (${timestampText(expiresAt)}) and cannot be invalidated`;
}

/** Why it stays as it was; a reason that is given again is not kept. */
function stayedText({ id, invalidationReason: kept }: Event, reason: string): string {
  const lost = reason === '' || reason === kept ? '' : `; the reason "${reason}" is not kept`;
  return `event ${id} was invalidated before and stays as it is${lost}`;
}

function invalidatedText({ id, topic, invalidationReason: reason }: Event): string {
  return `event ${id} of topic ${topic} is invalidated${reason === '' ? '' : `: ${reason}`}`;
}
