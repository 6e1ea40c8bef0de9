// Page tokens: opaque to clients, bound to the request that they belong to and to the log that they point into.

import { createHash } from 'node:crypto';
import { fieldError, type MadeleineError } from '../../domain/errors.js';

const VERSION = 1;
/** A token that we made is far shorter. */
const MAX_LENGTH = 2_048;

export interface PageTokenScope {
  /** Everything that makes the listing what it is: its call, filter and order. */
  readonly request: unknown;
  /** Identity of the log. */
  readonly epoch: number;
}

export function encodePageToken(cursor: readonly (string | number)[], scope: PageTokenScope): string {
  const body = JSON.stringify([VERSION, scope.epoch, ...cursor]);
  return Buffer.from(JSON.stringify([seal(body, scope.request), body])).toString('base64url');
}

/** What a cursor consists of. Anyone can make a token, so its members are looked at like any other input. */
export type CursorKinds = readonly ('text' | 'position')[];

/**
 * The cursor of a token; undefined for the empty token. PAGE_TOKEN_INVALID for one of another request or that was never ours,
 * POSITION_BEYOND_HEAD for one of another log.
 */
export function decodePageToken(
  token: string,
  scope: PageTokenScope,
  kinds: CursorKinds,
): readonly (string | number)[] | undefined {
  if (token === '') return undefined;
  const parts = token.length > MAX_LENGTH ? undefined : parse(Buffer.from(token, 'base64url').toString());
  if (!Array.isArray(parts) || typeof parts[1] !== 'string' || parts[0] !== seal(parts[1], scope.request))
    throw invalid();
  const body = parse(parts[1]);
  if (!Array.isArray(body) || body[0] !== VERSION) throw invalid();
  const [, epoch, ...cursor] = body as (string | number)[];
  if (cursor.length !== kinds.length || !kinds.every((kind, index) => isKind(cursor[index], kind))) throw invalid();
  if (epoch === scope.epoch) return cursor;
  throw fieldError('POSITION_BEYOND_HEAD', 'page_token', 'belongs to the log before it was restored');
}

function isKind(member: unknown, kind: CursorKinds[number]): boolean {
  return kind === 'text' ? typeof member === 'string' : Number.isSafeInteger(member) && (member as number) >= 0;
}

function seal(body: string, request: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(request))
    .update('\u0000')
    .update(body)
    .digest('base64url')
    .slice(0, 16);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not a token of ours: the caller answers so.
    return undefined;
  }
}

function invalid(): MadeleineError {
  return fieldError('PAGE_TOKEN_INVALID', 'page_token', 'is not a token of this request');
}
