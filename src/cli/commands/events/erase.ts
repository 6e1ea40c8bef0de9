// `madeleine erase`: takes what events say for good, and says first how many that are.

import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { type EraseEventsRequest, EraseEventsResponse } from '../../../../generated/madeleine/v1/event_service.js';
import { CommandFailed, UsageError } from '../../connection/failures.js';
import { type ClientOptions, clientCommand, runClient, type Session } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { type ByFlag, byOption } from '../../text/by-option.js';
import { messageJson } from '../../text/event-json.js';
import { printable } from '../../text/output.js';
import { timestampText } from '../../text/time-text.js';
import { defined } from '../../text/values.js';

interface EraseFlags extends ClientOptions, ByFlag {
  readonly subject?: string;
  readonly stream?: string;
  readonly context?: string;
  readonly dryRun?: true;
  readonly yes?: true;
}

const HELP = `
Erases what events say: payload, description, properties, tag and all else but which event it is, where and when. Of all events about
--subject (the data_subject that they were pushed with), or of all events of --stream, that are there now; later ones are not touched.
It cannot be undone. Says how many events that are, and asks on a terminal; elsewhere it needs --yes. Ctrl-C does not stop what was
begun: the same command again waits for it. What stays in backups, binary logs and free pages is in docs/erasure.md.

Examples:
  $ madeleine erase --subject person-17 --dry-run
  $ madeleine erase --subject person-17 --context all
  $ madeleine erase --stream order-7 --yes`;

export function eraseCommand(deps: CliDeps): Command {
  return clientCommand('erase', 'erase what events about somebody, or of a stream, say')
    .option('--subject <text>', 'whom the events are about: their data_subject')
    .option('--stream <name>', 'the stream whose events are erased')
    .option('--context <name>', 'context (default "default"); with --subject, "all" means every context')
    .option('--dry-run', 'only count what would be erased')
    .option('--yes', 'do not ask')
    .addOption(byOption())
    .addHelpText('after', HELP)
    .action((flags: EraseFlags) => {
      const target = targetOf(flags);
      return runClient(deps, flags, (session) => erase(session, target, flags), {
        interrupted: () => 'interrupted; what was begun goes on, the same command again waits for it',
      });
    });
}

function targetOf({ subject, stream }: EraseFlags): NonNullable<EraseEventsRequest['target']> {
  if (subject !== undefined && stream === undefined) return { $case: 'dataSubject', value: subject };
  if (stream !== undefined && subject === undefined) return { $case: 'stream', value: stream };
  throw new UsageError('give either --subject or --stream');
}

async function erase(
  session: Session,
  target: NonNullable<EraseEventsRequest['target']>,
  { context, by, dryRun, yes }: EraseFlags,
): Promise<void> {
  const { client, output } = session;
  const request = { target, ...defined({ context, by }) };
  const call = (more: Partial<EraseEventsRequest> = {}) =>
    client.call((options) => client.events.eraseEvents({ ...request, ...more }, options));
  const found = await call({ dryRun: true });
  if (dryRun === true) return tell(session, found, `would erase ${countText(found)}`);
  if (found.remaining > 0n && yes !== true) await assertWanted(session, found);
  let answer = await call();
  const told = [answer.erased];
  while (answer.remaining > 0n) {
    output.notice(`erased ${answer.erased} so far, ${countText(answer)} to go`);
    answer = await call();
    told.push(answer.erased);
  }
  // It may have been finished between two calls.
  const erased = told.findLast((events) => events > 0n) ?? 0n;
  await tell(session, { ...answer, erased }, doneText({ ...answer, erased }));
}

async function tell({ output }: Session, answer: EraseEventsResponse, text: string): Promise<void> {
  await output.line(output.json ? messageJson(EraseEventsResponse, answer) : printable(text));
  if (output.json || answer.archiveCount === 0n) return;
  await output.line(`${archivesText(answer)} what such events said, and the server does not change files:`);
  for (const name of answer.archives) await output.line(printable(`  ${name}`));
}

/** Throws unless whoever sits at the terminal says yes. */
async function assertWanted({ stdin, stderr, signal }: Session, found: EraseEventsResponse): Promise<void> {
  if ((stdin as Partial<NodeJS.ReadStream>).isTTY !== true)
    throw new UsageError(
      `would erase ${countText(found)} for good: --yes does so without asking, --dry-run only counts`,
    );
  const terminal = createInterface({ input: stdin, output: stderr });
  try {
    const said = await terminal.question(`Erase the content of ${countText(found)}, for good? [y/N] `, { signal });
    if (!/^y(es)?$/i.test(said.trim())) throw new CommandFailed('nothing was erased');
  } finally {
    terminal.close();
  }
}

function doneText({ erased, erasedAt }: EraseEventsResponse): string {
  if (erasedAt === undefined) return 'there is nothing to erase';
  const mark = `marked ${timestampText(erasedAt)}`;
  return erased === 0n
    ? `there is nothing more to erase; what is erased is ${mark}`
    : `erased ${eventsText(erased)}, ${mark}`;
}

function archivesText({ archives, archiveCount }: EraseEventsResponse): string {
  if (archiveCount === 1n) return '1 archive still holds';
  const first = archiveCount > BigInt(archives.length) ? `, of which these are the first ${archives.length},` : '';
  return `${archiveCount} archives${first} still hold`;
}

function countText({ remaining, remainingIsExact }: EraseEventsResponse): string {
  return remainingIsExact ? eventsText(remaining) : `at least ${eventsText(remaining)}`;
}

function eventsText(count: bigint): string {
  return count === 1n ? '1 event' : `${count} events`;
}
