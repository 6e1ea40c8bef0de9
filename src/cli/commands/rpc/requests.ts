// Where the requests of a call come from: arguments, or lines of stdin.

import type { DescMessage, Message } from '@bufbuild/protobuf';
import { CommandFailed } from '../../connection/failures.js';
import type { Line } from '../../connection/line-batches.js';
import type { Session } from '../../connection/run.js';
import { stdinLines } from '../../connection/stdin-lines.js';
import { textProblem, withoutMark } from '../../text/input-text.js';
import { type Method, parseMessage } from './contract.js';

const MAX_LINE_BYTES = 16 * 1024 * 1024;
const EMPTY = '{}';

/** Reads a request; throws what `failure` makes of what is wrong with it. */
export function parsed(type: DescMessage, text: string, failure: (why: string) => Error): Message {
  try {
    return parseMessage(type, text.replace(/^\ufeff/, ''));
  } catch (error) {
    throw failure((error as Error).message);
  }
}

/** The requests that were given, or else those of stdin; a request of which nothing can be said needs none. */
export async function* requestsOf(
  session: Session,
  { input, requestStream }: Method,
  given: readonly Message[],
): AsyncGenerator<Message> {
  const isTerminal = (session.stdin as Partial<NodeJS.ReadStream>).isTTY === true;
  if (given.length > 0) yield* given;
  else if (!requestStream && (isTerminal || input.fields.length === 0)) yield parseMessage(input, EMPTY);
  else yield* linesOf(session, input, requestStream);
}

async function* linesOf(session: Session, input: DescMessage, requestStream: boolean): AsyncGenerator<Message> {
  const news = 'reads requests from stdin, one JSON text a line; an argument is one, too';
  let isFirst = true;
  for await (const lines of stdinLines(session, news, { maxLines: 1, maxBytes: MAX_LINE_BYTES })) {
    isFirst = false;
    for (const line of lines) yield requestOf(line, input);
  }
  if (isFirst && !requestStream) yield parseMessage(input, EMPTY);
}

function requestOf({ number, bytes }: Line, input: DescMessage): Message {
  const failure = (why: string) => new CommandFailed(`line ${number}: the request ${why}`);
  const text = withoutMark(bytes);
  const problem = textProblem(text);
  if (problem !== undefined) throw failure(problem);
  return parsed(input, text.toString(), failure);
}
