// Patterns of a schema: those of ECMA-262 that an engine can run in a time that is linear in the text, whatever pattern and text are.
// Look-around and back references are not among them.

import { RE2JS } from 're2js';
import { limits } from './schema-limits.js';

/** What finds a pattern in a text. */
interface Engine {
  test(text: string): boolean;
}

export class LinearPattern {
  readonly text: string;
  readonly #engine: Engine;
  /** What a character of a text costs, in steps. */
  readonly #stepsOfCharacter: number;

  private constructor(text: string, engine: Engine, stepsOfCharacter: number) {
    this.text = text;
    this.#engine = engine;
    this.#stepsOfCharacter = stepsOfCharacter;
  }

  /** The pattern, or what is wrong with it. */
  static of(text: string): LinearPattern | string {
    if (Buffer.byteLength(text) > limits.patternBytes) return `has more than ${limits.patternBytes} bytes`;
    try {
      const program = RE2JS.compile(withSpaces(RE2JS.translateRegExp(text)));
      const size = program.programSize();
      if (size > limits.patternSize) return `repeats too much: it has ${size} steps, ${limits.patternSize} are allowed`;
      const plain = plainEngine(text);
      return plain === undefined
        ? new LinearPattern(text, program, 0.5 + size / 32)
        : new LinearPattern(text, plain, 1 / 16);
    } catch (error) {
      // Whatever the engine throws is about the pattern.
      return `is no pattern that runs in linear time (look-around and back references do not): ${problemOf(error)}`;
    }
  }

  /** What it costs to look for it in the text, in steps. */
  stepsFor(text: string): number {
    return 1 + text.length * this.#stepsOfCharacter;
  }

  isIn(text: string): boolean {
    return this.#engine.test(text);
  }
}

/** A character, or a class of them, and how often it is repeated. */
const PART =
  /(?:\[(?:\\[^pPuxc\d]|[^[\]\\])+\]|\\[dDwWsS./-]|[^\\^$.*+?()[\]{}|]|\.)(?:\{\d+\}|([*+?]|\{\d+,\d*\}))?/uy;

/**
 * The engine of the platform, several times as fast, for patterns that it runs in linear time too: those that begin at the beginning of the text,
 * and of whose parts, each a character, at most one may be repeated more or less often.
 */
function plainEngine(text: string): Engine | undefined {
  if (!text.startsWith('^')) return undefined;
  const end = text.endsWith('$') && !text.endsWith('\\$') ? text.length - 1 : text.length;
  let varying = 0;
  for (let at = 1; at < end; ) {
    PART.lastIndex = at;
    const found = PART.exec(text);
    if (found === null) return undefined;
    at += found[0].length;
    if (at > end) return undefined;
    if (found[1] !== undefined) varying += 1;
  }
  return varying > 1 ? undefined : platformEngine(text);
}

function platformEngine(text: string): Engine | undefined {
  try {
    return new RegExp(text, 'u');
  } catch {
    // It is stricter about what is escaped.
    return undefined;
  }
}

function problemOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.slice(0, 100);
}

/** What counts as a space besides those that the engine knows. */
const MORE_SPACES = '\\x0b\\x{a0}\\x{feff}\\x{2028}\\x{2029}\\p{Zs}';

/** The pattern with the spaces of ECMA-262. What is no space stays as it is within brackets: there it cannot be said. */
function withSpaces(pattern: string): string {
  let isInBrackets = false;
  return pattern.replace(/\\.|[[\]]/gsu, (part) => {
    if (part === '[' || part === ']') isInBrackets = part === '[';
    else if (part === '\\s') return isInBrackets ? `\\s${MORE_SPACES}` : `[\\s${MORE_SPACES}]`;
    else if (part === '\\S' && !isInBrackets) return `[^\\s${MORE_SPACES}]`;
    return part;
  });
}
