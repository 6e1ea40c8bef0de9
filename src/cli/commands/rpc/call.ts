// `madeleine call`: any method of the contract, with requests and answers as JSON, one a line.

import type { Message } from '@bufbuild/protobuf';
import type { Command } from 'commander';
import { UsageError } from '../../connection/failures.js';
import { type ClientOptions, clientCommand, runClient, type Session } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import type { Seconds } from '../../text/time-text.js';
import { count, duration } from '../../text/values.js';
import { answersOf } from './answers.js';
import { findMethod, loadContract, type Method, messageText, nameOf } from './contract.js';
import { parsed, requestsOf } from './requests.js';

interface CallFlags extends ClientOptions {
  readonly timeout?: Seconds;
  readonly limit?: number;
}

/** The longest time of a timer of Node. */
const MAX_TIMEOUT_MS = 2 ** 31 - 2_000;

const HELP = `
A request is one JSON text in the form of protobuf: numbers of 64 bits as numbers or texts, bytes as base64, times as
2026-11-21T10:45:03Z, durations as 1.5s; fields in camelCase or snake_case. Each answer is one line of such JSON.
Without a request, each line of stdin is one. Of a method that takes one request each is a call of its own, the next after the
answer of the one before; of a method that takes a stream they are the stream. Ctrl-C ends a stream of answers.
What is refused is told with its reason and the fields at fault, exit code 1; 5: not answered within --timeout.

Examples:
  $ madeleine call EventService/PushEvent '{"event": {"topic": "orders", "issuer": "shop", "payload": {"json": {"total": 7}}}}'
  $ madeleine call ConsumerService/Fetch '{"consumer": "mailer", "limit": 10}'
  $ madeleine call EventService/ReadEvents '{"follow": true}' --limit 3
  $ madeleine call EventService/PushEventStream < batches.ndjson

Methods:
`;

export function callCommand(deps: CliDeps): Command {
  return clientCommand('call', 'call any method of the contract, with JSON')
    .argument('<method>', 'Service/Method, as listed below')
    .argument('[requests...]', 'requests as JSON (default: lines of stdin)')
    .option('--timeout <duration>', 'how long the answer may take (default 30s; of a stream, no end)', duration)
    .option('--limit <n>', 'end after so many answers', count)
    .addHelpText('after', () => HELP + methodList())
    .action(async (name: string, texts: readonly string[], flags: CallFlags) => {
      const method = findMethod(loadContract(), name);
      const given = texts.map((text) => parsed(method.input, text, (why) => new UsageError(`the request ${why}`)));
      const { requestStream, responseStream } = method;
      await runClient(deps, flags, (session) => call(session, method, given, flags), {
        endless: responseStream && !requestStream && flags.limit === undefined,
        timeoutMs: timeoutOf(flags),
        unread: responseStream && !requestStream ? 'end at once' : 'go on',
      });
    });
}

function methodList(): string {
  const methods = loadContract();
  const width = Math.max(...methods.map((method) => nameOf(method).length));
  const lines = methods.map((method) => {
    const [takes, gives] = [method.requestStream, method.responseStream].map((is) => (is ? 'stream ' : ''));
    return `  ${nameOf(method).padEnd(width)}  ${takes}${method.input.name} -> ${gives}${method.output.name}`;
  });
  return lines.join('\n');
}

function timeoutOf({ timeout }: CallFlags): number | undefined {
  const ms = timeout && Number(timeout.seconds) * 1000 + timeout.nanos / 1e6;
  if ((ms ?? 0) > MAX_TIMEOUT_MS) throw new UsageError('--timeout is 24d at most');
  return ms;
}

async function call(session: Session, method: Method, given: readonly Message[], flags: CallFlags): Promise<void> {
  const { limit = Number.POSITIVE_INFINITY } = flags;
  const requests = requestsOf(session, method, given);
  const timeoutMs = timeoutOf(flags);
  // The command keeps the time, and says with an exit code of its own that it is over.
  const deadlineMs = timeoutMs === undefined ? undefined : timeoutMs + 1_000;
  let printed = 0;
  for await (const answer of answersOf(session.client, method, requests, deadlineMs)) {
    await session.output.line(messageText(method.output, answer));
    printed += 1;
    if (printed >= limit) return;
  }
}
