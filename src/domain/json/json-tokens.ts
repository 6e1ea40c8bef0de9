// Where the values of a JSON text begin and end in its bytes, and the canonical token of a value: two values are equal
// exactly if their tokens are the same text. The bytes are UTF-8 and were found to be JSON before; other bytes give a
// JsonProblem or a wrong token, never an endless loop.
//
// A token is JSON text itself: strings as JSON.stringify writes them (so escapes do not matter, nothing is normalised, and
// a lone surrogate stays an escape), numbers by canonicalNumber, arrays without spaces, objects with sorted keys.

import { canonicalNumber } from './json-number.js';

/** What is wrong with a JSON text, in words that continue the name of a field, such as `is not JSON`. */
export class JsonProblem extends Error {
  override readonly name = 'JsonProblem';
}

export const QUOTE = 0x22;
export const BACKSLASH = 0x5c;
export const COMMA = 0x2c;
export const COLON = 0x3a;
export const OPEN_BRACKET = 0x5b;
export const CLOSE_BRACKET = 0x5d;
export const OPEN_BRACE = 0x7b;
export const CLOSE_BRACE = 0x7d;

export function notJson(): JsonProblem {
  return new JsonProblem('is not JSON');
}

/** The first place at or after `at` that is no white space. */
export function skipSpace(bytes: Buffer, at: number): number {
  let next = at;
  for (; next < bytes.length; next++) {
    const byte = bytes[next] as number;
    if (byte > 0x20 || (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) break;
  }
  return next;
}

/** The place behind the string that begins at `at`, its opening quote. */
export function skipString(bytes: Buffer, at: number): number {
  for (let next = at + 1; next < bytes.length; next++) {
    const byte = bytes[next] as number;
    if (byte === QUOTE) return next + 1;
    if (byte === BACKSLASH) next++;
  }
  throw notJson();
}

/** The place behind the string, number or literal that begins at `at`. */
export function skipScalar(bytes: Buffer, at: number): number {
  if (bytes[at] === QUOTE) return skipString(bytes, at);
  let next = at;
  for (; next < bytes.length; next++) {
    const byte = bytes[next] as number;
    if (byte <= 0x20 || byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET) break;
  }
  if (next === at) throw notJson();
  return next;
}

/** The string between the quotes at `start` and just before `end`, its escapes decoded. */
export function stringAt(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('utf8', start, end);
  return text.includes('\\') ? parsedString(text) : text.slice(1, -1);
}

/** The token of the value at `start`, which ends just before `end`. */
export function tokenAt(bytes: Buffer, start: number, end: number): string {
  switch (bytes[start]) {
    case QUOTE: {
      const text = bytes.toString('utf8', start, end);
      return text.includes('\\') ? JSON.stringify(parsedString(text)) : text;
    }
    case OPEN_BRACKET:
    case OPEN_BRACE:
      return new JsonCursor(bytes, start).token();
    default:
      return bareToken(bytes.toString('latin1', start, end));
  }
}

function bareToken(text: string): string {
  // Literals begin with t, f or n, numbers with a digit or a minus.
  return text.charCodeAt(0) > 0x39 ? text : canonicalNumber(text);
}

function parsedString(text: string): string {
  try {
    return JSON.parse(text) as string;
  } catch {
    throw notJson();
  }
}

/** Walks through a JSON text. It recurses as deep as the text nests: the depth is checked before (json-scan.ts). */
export class JsonCursor {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  /** The first byte of the value that comes next, or undefined at the end. */
  peek(): number | undefined {
    this.#at = skipSpace(this.#bytes, this.#at);
    return this.#bytes[this.#at];
  }

  /** The token of the value that comes next. */
  token(): string {
    const first = this.peek();
    if (first === OPEN_BRACKET) return this.#arrayToken();
    if (first === OPEN_BRACE) return this.#objectToken();
    const start = this.#at;
    this.#at = skipScalar(this.#bytes, start);
    return tokenAt(this.#bytes, start, this.#at);
  }

  /** The text of the value that comes next, as it stands. */
  text(): string {
    this.peek();
    const start = this.#at;
    this.#skip();
    return this.#bytes.toString('utf8', start, this.#at);
  }

  #skip(): void {
    const first = this.peek();
    if (first === OPEN_BRACKET) this.#items(CLOSE_BRACKET, () => this.#skip());
    else if (first === OPEN_BRACE) this.members(() => this.#skip());
    else this.#at = skipScalar(this.#bytes, this.#at);
  }

  /** Calls back at each value of the object that comes next, with its key; the callback reads the value. */
  members(each: (key: string) => void): void {
    this.#items(CLOSE_BRACE, () => {
      const start = this.#at;
      if (this.#bytes[start] !== QUOTE) throw notJson();
      this.#at = skipString(this.#bytes, start);
      const key = stringAt(this.#bytes, start, this.#at);
      if (this.peek() !== COLON) throw notJson();
      this.#at++;
      each(key);
    });
  }

  /** What is between a bracket or brace, which comes next, and the closing one, with commas between. */
  #items(close: number, each: () => void): void {
    this.#at++;
    if (this.peek() === close) {
      this.#at++;
      return;
    }
    for (;;) {
      this.peek();
      each();
      const after = this.peek();
      this.#at++;
      if (after === close) return;
      if (after !== COMMA) throw notJson();
    }
  }

  #arrayToken(): string {
    const tokens: string[] = [];
    this.#items(CLOSE_BRACKET, () => tokens.push(this.token()));
    return `[${tokens.join(',')}]`;
  }

  #objectToken(): string {
    const members: (readonly [key: string, token: string])[] = [];
    this.members((key) => members.push([key, this.token()]));
    members.sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${members.map(([key, token]) => `${JSON.stringify(key)}:${token}`).join(',')}}`;
  }
}
