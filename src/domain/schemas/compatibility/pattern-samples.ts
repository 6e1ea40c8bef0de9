// Strings that a pattern matches, as far as it is made of plain parts: made by walking through it, with repetitions as often as told.

/** How much oftener than they have to parts are repeated, and which alternatives are taken. */
const VARIANTS = [0, 1, 2, 3, 5, 8, 13, 21, 34];
const MAX_REPEATS = 64;
const MAX_LENGTH = 2_000;
/** Characters that stand for a class. */
const CHARACTERS = 'aA0b1zZ9_-. @/:;,+*=éß漢~!"#$%&\'()<>?[]{}|^`\\\t\n';

/** Tries for strings that the pattern matches; whoever uses one holds it against the pattern. */
export function patternSamples(pattern: string): readonly string[] {
  const made = VARIANTS.map((more) => new PatternWalk(pattern, more).sample());
  return [...new Set(made.filter((text) => text !== undefined))];
}

class PatternWalk {
  readonly #pattern: string;
  readonly #more: number;
  #at = 0;
  #choices = 0;

  constructor(pattern: string, more: number) {
    this.#pattern = pattern;
    this.#more = more;
  }

  /** A string; undefined: the pattern has parts that are not understood. */
  sample(): string | undefined {
    const text = this.#alternatives();
    return this.#at === this.#pattern.length && text !== undefined && text.length <= MAX_LENGTH ? text : undefined;
  }

  #alternatives(): string | undefined {
    const all = [this.#sequence()];
    while (this.#takes('|')) all.push(this.#sequence());
    this.#choices += 1;
    return all.some((one) => one === undefined) ? undefined : all[(this.#more + this.#choices - 1) % all.length];
  }

  #sequence(): string | undefined {
    let text = '';
    while (this.#at < this.#pattern.length && !'|)'.includes(this.#pattern[this.#at] as string)) {
      const atom = this.#atom();
      if (atom === undefined) return undefined;
      text += atom.repeat(this.#repeats());
      if (text.length > MAX_LENGTH) return undefined;
    }
    return text;
  }

  #takes(text: string): boolean {
    if (!this.#pattern.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #match(expression: RegExp): RegExpExecArray | undefined {
    expression.lastIndex = this.#at;
    const found = expression.exec(this.#pattern);
    if (found !== null) this.#at += found[0].length;
    return found ?? undefined;
  }

  #atom(): string | undefined {
    if (this.#takes('^') || this.#takes('$')) return '';
    if (this.#takes('(')) return this.#group();
    if (this.#takes('.')) return 'a';
    const found = this.#match(/\[(?:\\.|[^\]\\])*\]|\\p\{\w+\}|\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\\./suy);
    if (found !== undefined) return characterOf(found[0]);
    const [literal] = this.#match(/[^*+?{}()[\]\\|]/suy) ?? [];
    return literal;
  }

  #group(): string | undefined {
    if (this.#pattern[this.#at] === '?' && this.#match(/\?(?::|<\w+>)/suy) === undefined) return undefined;
    const text = this.#alternatives();
    return this.#takes(')') ? text : undefined;
  }

  #repeats(): number {
    const found = this.#match(/(?:([*+?])|\{(\d+)(,(\d*))?\})\??/suy);
    if (found === undefined) return 1;
    const [, sign, least = sign === '+' ? '1' : '0', range, most = ''] = found;
    const min = Number(least);
    const max =
      sign === '?' ? 1 : sign === undefined && range === undefined ? min : most === '' ? MAX_REPEATS : Number(most);
    return Math.min(min + this.#more, max, MAX_REPEATS + min);
  }
}

/** A character that a class or an escape stands for. */
function characterOf(part: string): string | undefined {
  if (/^\\[bB]$/.test(part)) return '';
  try {
    // Of a single character: it cannot take long.
    const one = new RegExp(`^${part}$`, 'u');
    const listed = /^\[([^\\\]^])/u.exec(part)?.[1] ?? '';
    return [listed, ...CHARACTERS].find((character) => character !== '' && one.test(character));
  } catch {
    return undefined;
  }
}
