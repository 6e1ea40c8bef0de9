// Patterns of a schema: those of ECMA-262 that an engine can run in a time that is linear in the text, whatever pattern and text are.
// Look-around and back references are not among them.

import { RE2JS } from 're2js';
import { limits } from './schema-limits.js';

export class LinearPattern {
  readonly text: string;
  readonly #program: RE2JS;
  /** What a character of a text costs, in steps. */
  readonly #stepsOfCharacter: number;

  private constructor(text: string, program: RE2JS) {
    this.text = text;
    this.#program = program;
    this.#stepsOfCharacter = 0.5 + program.programSize() / 32;
  }

  /** The pattern, or what is wrong with it. */
  static of(text: string): LinearPattern | string {
    if (Buffer.byteLength(text) > limits.patternBytes) return `has more than ${limits.patternBytes} bytes`;
    try {
      const program = RE2JS.compile(withSpaces(RE2JS.translateRegExp(text)));
      if (program.programSize() > limits.patternSize)
        return `repeats too much: it has ${program.programSize()} steps, ${limits.patternSize} are allowed`;
      return new LinearPattern(text, program);
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
    return this.#program.test(text);
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
