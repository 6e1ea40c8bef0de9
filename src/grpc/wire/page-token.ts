// Page tokens: opaque to clients, bound to the request that they belong to and to the log that they point into.

import { createHash } from 'node:crypto';
import { fieldError, type MadeleineError } from '../../domain/errors.js';

const VERSION = 1;
/** A token that we made is shorter, even with two names of 255 characters that JSON escapes twice. */
const MAX_LENGTH = 4_096;

export interface PageTokenScope {
  /** Everything that makes the listing what it is: its call, filter and order. */
  readonly request: readonly unknown[];
  /** Identity of the log. */
  readonly epoch: number;
}

/** The members of a list's key by their names, in the order of the list. Ids are positions too. */
export type KeyKinds = Readonly<Record<string, 'text' | 'position'>>;

/** Where a list goes on: the key of the last item that was answered. */
export type Key<Kinds extends KeyKinds> = {
  readonly [Name in keyof Kinds]: Kinds[Name] extends 'text' ? string : number;
};

/** The token that goes on after a key; what else the key has is left out. */
export function encodePageToken<Kinds extends KeyKinds>(key: Key<Kinds>, kinds: Kinds, scope: PageTokenScope): string {
  const body = JSON.stringify([VERSION, scope.epoch, ...Object.keys(kinds).map((name) => key[name])]);
  return Buffer.from(JSON.stringify([seal(body, scope.request), body])).toString('base64url');
}

/**
 * The key of a token; undefined for the empty token. PAGE_TOKEN_INVALID for one of another request or that was never ours,
 * POSITION_BEYOND_HEAD for one of another log. Anyone can make a token, so its members are looked at like any other input.
 */
export function decodePageToken<Kinds extends KeyKinds>(
  token: string,
  kinds: Kinds,
  scope: PageTokenScope,
): Key<Kinds> | undefined {
  if (token === '') return undefined;
  const parts = token.length > MAX_LENGTH ? undefined : parse(Buffer.from(token, 'base64url').toString());
  if (!Array.isArray(parts) || typeof parts[1] !== 'string' || parts[0] !== seal(parts[1], scope.request))
    throw invalid();
  const body = parse(parts[1]);
  if (!Array.isArray(body) || body[0] !== VERSION) throw invalid();
  const [, epoch, ...members] = body as unknown[];
  const names = Object.keys(kinds);
  if (members.length !== names.length || !names.every((name, index) => isKind(members[index], kinds[name])))
    throw invalid();
  if (epoch === scope.epoch)
    return Object.fromEntries(names.map((name, index) => [name, members[index]])) as Key<Kinds>;
  throw fieldError('POSITION_BEYOND_HEAD', 'page_token', 'belongs to the log before it was restored');
}

function isKind(member: unknown, kind: KeyKinds[string] | undefined): boolean {
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
