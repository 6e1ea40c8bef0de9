// Keeps an attempt's secrets out of what is written down about it: a receiver may well answer with what it was sent.

import { asBuffer } from '../../domain/json/bytes.js';
/** What stands in a secret's place. */
export const REDACTED = '[redacted]';

/** The length below which a value is found in any text, and hides nothing that could not be guessed. */
const MIN_VALUE_LENGTH = 3;

export interface RedactedValues {
  /** The `whsec_` secrets. */
  readonly secrets: readonly string[];
  /** The headers, whose values all count: names do not tell which of them are credentials. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Characters that one character takes at most in the forms that are looked for. */
const MAX_GROWTH = 3;

export class Redactor {
  readonly #values: readonly string[];
  #compiled: RegExp | undefined;
  /** The length of the longest text that is looked for, at most. */
  readonly longest: number;

  constructor({ secrets, headers }: RedactedValues) {
    const values = [...secrets.flatMap(secretForms), ...Object.values(headers).flatMap(headerForms)];
    this.#values = values.filter((value) => value.length >= MIN_VALUE_LENGTH);
    this.longest = MAX_GROWTH * this.#values.reduce((longest, { length }) => Math.max(longest, length), 0);
  }

  /** The expression that finds the values, made when it is needed: most answers are shorter than any secret, and need none. */
  #pattern(length: number): RegExp | undefined {
    if (this.#values.every((value) => value.length > length)) return undefined;
    this.#compiled ??= patternOf(this.#values);
    return this.#compiled;
  }

  /** Returns a text of ours, such as an error's, without secrets. */
  text(text: string): string {
    const pattern = this.#pattern(text.length);
    return pattern === undefined ? text : text.replace(pattern, REDACTED);
  }

  /**
   * The beginning of bytes as text: at most `maxBytes` of UTF-8, no control characters but tabs and line breaks. `bytes` has to
   * hold `longest` bytes more than `maxBytes`, if there are so many, so that a secret at the edge is whole.
   */
  beginning(bytes: Uint8Array, maxBytes: number): string {
    // As Latin-1 each byte is a character, so that places are the same before and after; all that is looked for is ASCII.
    const raw = asBuffer(bytes).toString('latin1');
    let kept = '';
    let from = 0;
    const pattern = this.#pattern(raw.length);
    for (const { 0: match, index } of pattern === undefined ? [] : raw.matchAll(pattern)) {
      if (index >= maxBytes) break;
      kept += raw.slice(from, index) + REDACTED;
      from = index + match.length;
    }
    kept += raw.slice(from, Math.max(from, maxBytes));
    return cutText(readable(Buffer.from(kept, 'latin1').toString()), maxBytes);
  }
}

function patternOf(values: readonly string[]): RegExp {
  const texts = [...new Set(values.flatMap(writtenForms))];
  // The longest first: an alternation takes the first that fits, and a value may begin with another.
  texts.sort((a, b) => b.length - a.length);
  return new RegExp(texts.map(escapeRegExp).join('|'), 'gi');
}

function secretForms(secret: string): string[] {
  const bare = secret.replace(/^whsec_/, '');
  return [secret, bare, bare.replace(/=+$/, '')];
}

/** The value, what follows an authorization scheme, and the user and password of a Basic one. */
function headerForms(value: string): string[] {
  const [, scheme = '', rest = ''] = /^([A-Za-z][\w-]*) +(.+)$/.exec(value) ?? [];
  if (rest === '') return [value];
  if (scheme.toLowerCase() !== 'basic') return [value, rest];
  const decoded = Buffer.from(rest, 'base64').toString();
  return [value, rest, decoded, decoded.slice(decoded.indexOf(':') + 1)];
}

/** The forms of a value: as it is, as JSON writers escape it, and as it stands in a URL. */
function writtenForms(value: string): string[] {
  const json = JSON.stringify(value).slice(1, -1);
  return [value, json, json.replaceAll('/', '\\/'), encodeURIComponent(value)];
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
}

/** Returns the text without control characters, which would act in a terminal, NUL, which ends texts elsewhere, and half characters. */
export function readable(text: string): string {
  return text.replace(/[^\P{Cc}\t\n\r]|\p{Cs}/gu, '\ufffd');
}

/** Returns the text, or as much of it as has so many bytes of UTF-8, cut between characters. */
export function cutText(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  const bytes = Buffer.from(text);
  let end = maxBytes;
  // A byte 10xxxxxx continues a character.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end).toString();
}
