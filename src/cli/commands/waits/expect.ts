// `madeleine expect`: checks whether an event has occurred, waits for it if need be, and prints it.

import type { Command } from 'commander';
import { Outcome } from '../../../../generated/madeleine/v1/event_service.js';
import { Uuid7Source } from '../../../lib/uuid7.js';
import { CommandFailed, Unread, UsageError } from '../../connection/failures.js';
import { type ClientOptions, clientCommand, runClient, type Session } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import type { Seconds } from '../../text/time-text.js';
import { defined, description, duration, time, uint64 } from '../../text/values.js';
import { Expectation } from './expectation.js';
import { lookFor, printFound } from './look.js';

type Description = Readonly<Record<string, unknown>>;

interface ExpectFlags extends ClientOptions {
  readonly id?: bigint;
  readonly issuer?: string;
  readonly context?: string;
  readonly since?: Seconds;
  readonly waitTimeout?: Seconds;
  readonly timeout?: Seconds;
}

/** What the server gets to say what is known, with a --timeout that is shorter. */
const MIN_ANSWER_MS = 1_000;
/** What it gets to look through the topic, event by event. */
const LOOK_MS = 10_000;

const HELP = `
The description is the part of the payload by which the event is recognised: at each of its paths the payload has to have
an equal value. An event that has occurred already is printed at once. Otherwise it is awaited in the server, together with
all who describe it equally, and printed when it occurs. A lost connection is made again. Ctrl-C and --timeout end only this
command: the event stays awaited, and the same command, or --id, goes on. With --timeout 0s it only looks whether the event has
occurred, and leaves nothing that is awaited.

Exit codes: 0 it occurred and was printed, 1 refused or failed, 2 the command line cannot be used, 3 its wait expired,
4 it was invalidated, 5 --timeout is over (whatever the server does, 1 s at least), 130 Ctrl-C, 143 SIGTERM. Where nobody reads what it prints any more,
it ends with 1 and without a word. With --json the event is printed however it ended.

Examples:
  $ madeleine expect payments '{"order": 7, "state": "paid"}'
  $ madeleine expect payments '{"order": 7, "state": "paid"}' --timeout 10m && ship 7
  $ madeleine expect payments '{"order": 7}' --since 1h --wait-timeout 2d --json
  $ madeleine expect payments '{"order": 7}' --timeout 0s    # has it occurred?
  $ madeleine expect --id 17`;

export function expectCommand(deps: CliDeps): Command {
  return clientCommand('expect', 'check for an event, wait for it if necessary, and print it')
    .argument('[topic]', 'topic of the event')
    .argument('[description]', 'part of its payload, as JSON', description)
    .option('--id <event>', 'wait for this event instead', uint64)
    .option('--issuer <name>', 'who asks (default "cli")')
    .option('--context <name>', 'context (default "default")')
    .option('--since <time>', 'look for what occurred later than this: a time, a day, or 15m (default 30d ago)', time)
    .option('--wait-timeout <duration>', 'how long the server awaits the event (default 30d, at most 365d)', duration)
    .option('--timeout <duration>', 'how long this command waits (default as long as the server)', duration)
    .addHelpText('after', HELP)
    .action(async (topic: string | undefined, wanted: Description | undefined, flags: ExpectFlags) => {
      checkFlags(topic, wanted, flags);
      let met = false;
      let expectation: Expectation | undefined;
      const endsAt = deadlineOf(flags);
      await runClient(
        deps,
        flags,
        async (session) => {
          if (isLook(flags)) {
            await printFound(session, await lookFor(session, topic ?? '', wanted ?? {}, flags));
          } else {
            const id = flags.id ?? (await awaitEvent(session, topic ?? '', wanted ?? {}, flags));
            const timeoutMs = endsAt && Math.ceil(Math.max(0, endsAt - performance.now()));
            expectation = new Expectation({ session, timeoutMs, again: (event) => againText(event, flags) });
            await expectation.run(id);
          }
          met = true;
        },
        {
          timeoutMs: patience(flags),
          keepsTime: true,
          interrupted: () => expectation?.farewell ?? 'no longer waiting',
          unread: 'end at once',
        },
      );
      if (!met) throw new Unread();
    });
}

function checkFlags(topic: string | undefined, wanted: Description | undefined, flags: ExpectFlags): void {
  const { id, issuer, context, since, waitTimeout } = flags;
  if (id !== undefined && [topic, issuer, context, since, waitTimeout].some((value) => value !== undefined)) {
    throw new UsageError('--id goes with --timeout only: the event is described already');
  }
  if (id === undefined && wanted === undefined) throw new UsageError('give a topic and a description, or --id');
}

/** When the command is to end, by the monotonic clock. */
function deadlineOf({ timeout }: ExpectFlags): number | undefined {
  const ms = milliseconds(timeout);
  return ms === undefined ? undefined : performance.now() + ms;
}

/** How long the server may take over everything; in a shorter time than this it could not answer at all. */
function patience(flags: ExpectFlags): number | undefined {
  const ms = milliseconds(flags.timeout);
  return ms === undefined ? undefined : Math.max(ms, isLook(flags) ? LOOK_MS : MIN_ANSWER_MS);
}

/** Whether it only looks: who does not wait leaves nothing that is awaited. */
function isLook({ id, timeout }: ExpectFlags): boolean {
  return id === undefined && milliseconds(timeout) === 0;
}

function milliseconds(time: Seconds | undefined): number | undefined {
  return time === undefined ? undefined : Number(time.seconds) * 1000 + time.nanos / 1e6;
}

/** Id of the event that occurred, or is awaited from now on. */
async function awaitEvent(
  { client }: Session,
  topic: string,
  wanted: Description,
  flags: ExpectFlags,
): Promise<bigint> {
  const { issuer = 'cli', context, since, waitTimeout } = flags;
  const messageId = new Uuid7Source(Date.now).next();
  const event = { topic, issuer, description: wanted, messageId, ...defined({ context }) };
  const request = { event, ...defined({ since, waitTimeout }) };
  const { event: stored, outcome } = await client.call((options) => client.events.pushEvent(request, options));
  if (outcome === Outcome.OUTCOME_DISCARDED) {
    throw new CommandFailed(
      `nobody registered the topic ${topic}, and what is pushed to it is discarded: nothing is awaited`,
    );
  }
  return stored?.id ?? 0n;
}

function againText(id: bigint, { server }: ExpectFlags): string {
  return `madeleine expect --id ${id}${server === undefined ? '' : ` --server ${server}`}`;
}
