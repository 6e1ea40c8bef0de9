// What people are told when a command fails: one sentence with the reason and the fields at fault, and an exit code.

import { CommanderError } from 'commander';
import { ClientError, Status } from 'nice-grpc';
import {
  BadRequest,
  type BadRequest_FieldViolation,
  ErrorInfo,
  RetryInfo,
  RichClientError,
} from 'nice-grpc-error-details';
import { ConfigError } from '../../config.js';
import { DEFAULT_CONTEXT } from '../../domain/names.js';
import type { Millis } from '../../units.js';

/**
 * 0: done; 1: refused or failed; 2: the command line or a setting cannot be used. The others say how an expected event did not
 * come: its wait expired, it was invalidated, or the command's own time was over. 130 and 143: Ctrl-C or SIGTERM ended a command
 * that was not done.
 */
export const ExitCode = {
  OK: 0,
  FAILED: 1,
  USAGE: 2,
  EXPIRED: 3,
  INVALIDATED: 4,
  NOT_IN_TIME: 5,
  INTERRUPTED: 130,
  TERMINATED: 143,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** The command line cannot be used: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The command was understood and did not succeed, for a reason that is already a sentence: exit code 1, or what is given. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';
  readonly exitCode: ExitCode;

  constructor(message: string, options: ErrorOptions & { readonly exitCode?: ExitCode } = {}) {
    super(message, options);
    this.exitCode = options.exitCode ?? ExitCode.FAILED;
  }
}

/** The command ended before it was done, as nobody reads what it prints: exit code 1, without a word. */
export class Unread extends Error {
  override readonly name = 'Unread';
}

/** What the details of a refused call say, as far as they are there. */
export interface Refusal {
  /** Reason of the catalogue, such as STREAM_OWNED; empty if the answer did not come from a madeleine server. */
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly violations: readonly BadRequest_FieldViolation[];
  /** How long to wait before a retry, if the server said so. */
  readonly retryAfterMs: Millis | undefined;
}

/** Decodes the google.rpc details of a failed call. */
export function refusalOf(error: ClientError): Refusal {
  const details = error instanceof RichClientError ? error.extra : [];
  const info = details.find((detail) => detail.$type === ErrorInfo.$type);
  const retry = details.find((detail) => detail.$type === RetryInfo.$type)?.retryDelay;
  return {
    reason: info?.reason ?? '',
    metadata: info?.metadata ?? {},
    violations: details.flatMap((detail) => (detail.$type === BadRequest.$type ? detail.fieldViolations : [])),
    retryAfterMs: retry === undefined ? undefined : Number(retry.seconds) * 1000 + retry.nanos / 1e6,
  };
}

/** The exit code for what a command threw; undefined stands for success. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.OK : ExitCode.USAGE;
  if (error instanceof CommandFailed) return error.exitCode;
  return error instanceof UsageError || error instanceof ConfigError ? ExitCode.USAGE : ExitCode.FAILED;
}

/** Why stdout takes no more. */
export function unwritable({ code, message }: NodeJS.ErrnoException): string {
  return `cannot write to stdout: ${code ?? message}`;
}

/** One sentence for people, without a stack trace. */
export function describeFailure(error: unknown): string {
  if (error instanceof ClientError) return describeRefusal(error);
  return error instanceof Error && error.message !== '' ? error.message : String(error);
}

function describeRefusal(error: ClientError): string {
  const { reason, violations, metadata } = refusalOf(error);
  return refusalSentence({
    reason: reason === '' ? (Status[error.code] ?? `status ${error.code}`) : reason,
    message: error.details,
    violations,
    metadata,
  });
}

/** Writes `REASON: message (field: what is wrong; …) [fact=value …]`, leaving out what the message says already. */
export function refusalSentence(parts: {
  readonly reason: string;
  readonly message: string;
  readonly violations: readonly { readonly field: string; readonly description: string }[];
  readonly metadata: Readonly<Record<string, string>>;
}): string {
  const { reason, message } = parts;
  const fields = parts.violations
    .filter(({ field, description }) => !message.includes(field) || !message.includes(description))
    .map(({ field, description }) => `${field}: ${description}`);
  const facts = Object.entries(parts.metadata)
    .filter(([key, value]) => !message.includes(value) && !(key === 'context' && value === DEFAULT_CONTEXT))
    .map(([key, value]) => `${key}=${value}`);
  const more = fields.length > 0 ? ` (${fields.join('; ')})` : '';
  return `${reason}: ${message}${more}${facts.length > 0 ? ` [${facts.join(' ')}]` : ''}`;
}

/** Whether calling again may help: the server is away, drains, or another instance runs the consumer. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof ClientError)) return false;
  if (error.code === Status.UNAVAILABLE) return true;
  // A connection that breaks in the middle of a stream shows as one of these, without details of ours.
  const broken = error.code === Status.INTERNAL || error.code === Status.CANCELLED || error.code === Status.UNKNOWN;
  return broken && refusalOf(error).reason === '' && /RST_STREAM|connection|ECONN|Call cancelled/i.test(error.details);
}
