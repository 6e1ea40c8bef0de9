// JSON of which nothing is lost by reading it: what a double or UTF-8 cannot hold, and keys that an object has twice, are refused.

import { JsonCursor } from '../../domain/json/json-tokens.js';

/** Half of a surrogate pair: no UTF-8 has it, and it would be sent as U+FFFD. */
const HALF_PAIR = /\p{Surrogate}/u;
/** Half of a pair as JSON.stringify writes it, not behind a backslash of its own. */
const ESCAPED_HALF_PAIR = /(?<!\\)(?:\\\\)*\\ud[89a-f]/;

/** Whether UTF-8 can hold the text. */
export function isWellFormed(text: string): boolean {
  return !HALF_PAIR.test(text);
}

/** Reads a JSON text. Throws an Error that goes on after the text's name, such as `is not JSON`. */
export function parseExactJson(text: string): unknown {
  const value = parse(text);
  const written = unlessTooDeep(() => JSON.stringify(value));
  if (tokenOf(text) !== tokenOf(written)) {
    throw new Error('has a number that a double does not hold exactly, or a key twice');
  }
  if (ESCAPED_HALF_PAIR.test(written)) throw new Error('has half of a surrogate pair, which UTF-8 cannot hold');
  return value;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('is not JSON');
  }
}

/** Equal for texts of equal values, number by number. */
function tokenOf(text: string): string {
  return unlessTooDeep(() => new JsonCursor(Buffer.from(text), 0).token());
}

/** What recurses as deep as a text nests has no room for one that nests deeper than any that is taken. */
function unlessTooDeep<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw new Error('nests too deep', { cause });
  }
}
