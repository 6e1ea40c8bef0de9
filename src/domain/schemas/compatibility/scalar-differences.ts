// Differences between bounds of numbers, and of strings.

import { isMultiple } from '../json.js';
import type { NumberBounds, StringBounds } from './alternative.js';
import { type Difference, MAX_TRIES } from './difference.js';
import { numbers } from './samples.js';

export function* numberDifferences(writer: NumberBounds, reader: NumberBounds): Generator<Difference> {
  const [low, otherLow] = [lowest(writer), lowest(reader)];
  const [high, otherHigh] = [highest(writer), highest(reader)];
  const below = { path: [], keyword: 'minimum', reader: `takes nothing below ${reader.minimum}`, writer: `takes less` };
  const isLower = low.bound < otherLow.bound || (low.bound === otherLow.bound && otherLow.isOut && !low.isOut);
  if (isLower) yield { ...below, tries: () => tries(writer, (value) => value <= reader.minimum) };
  const above = { path: [], keyword: 'maximum', reader: `takes nothing above ${reader.maximum}`, writer: 'takes more' };
  const isHigher = high.bound > otherHigh.bound || (high.bound === otherHigh.bound && otherHigh.isOut && !high.isOut);
  if (isHigher) yield { ...above, tries: () => tries(writer, (value) => value >= reader.maximum) };
  if (reader.isInteger && !isWhole(writer)) {
    const fractions = () => tries({ ...writer, isInteger: false }, (value) => !Number.isInteger(value));
    yield { path: [], keyword: 'type', reader: 'takes whole numbers only', writer: 'takes others', tries: fractions };
  }
  for (const step of reader.multiples) {
    if (writer.multiples.some((one) => isMultiple(one, step)) || (writer.isInteger && isMultiple(1, step))) continue;
    const others = () => tries(writer, (value) => !isMultiple(value, step));
    yield {
      path: [],
      keyword: 'multipleOf',
      reader: `takes multiples of ${step} only`,
      writer: 'takes others',
      tries: others,
    };
  }
}

interface Edge {
  readonly bound: number;
  /** Whether the bound itself is not allowed. */
  readonly isOut: boolean;
}

function lowest({ minimum, isAboveMinimum, isInteger }: NumberBounds): Edge {
  if (!isInteger || !Number.isFinite(minimum)) return { bound: minimum, isOut: isAboveMinimum };
  return { bound: isAboveMinimum ? Math.floor(minimum) + 1 : Math.ceil(minimum), isOut: false };
}

function highest({ maximum, isBelowMaximum, isInteger }: NumberBounds): Edge {
  if (!isInteger || !Number.isFinite(maximum)) return { bound: maximum, isOut: isBelowMaximum };
  return { bound: isBelowMaximum ? Math.ceil(maximum) - 1 : Math.floor(maximum), isOut: false };
}

function isWhole({ isInteger, multiples }: NumberBounds): boolean {
  return isInteger || multiples.some((step) => Number.isInteger(step));
}

function tries(bounds: NumberBounds, isOne: (value: number) => boolean): readonly number[] {
  const all = numbers(bounds).filter((value) => !bounds.isInteger || Number.isInteger(value));
  return all.filter(isOne).slice(0, MAX_TRIES);
}

export function* stringDifferences(
  writer: StringBounds,
  reader: StringBounds,
  samples: readonly string[],
): Generator<Difference> {
  if (reader.minLength > writer.minLength) {
    yield {
      path: [],
      keyword: 'minLength',
      reader: `takes no string of fewer than ${reader.minLength} characters`,
      writer: 'takes shorter ones',
      tries: () => samples.filter(({ length }) => length < reader.minLength).slice(0, MAX_TRIES),
    };
  }
  if (reader.maxLength < writer.maxLength) {
    const long = ['a', '0', 'A'].map((one) => one.repeat(Math.min(reader.maxLength + 1, 100_000)));
    yield {
      path: [],
      keyword: 'maxLength',
      reader: `takes no string of more than ${reader.maxLength} characters`,
      writer: 'takes longer ones',
      tries: () => [...long, ...samples.filter(({ length }) => length > reader.maxLength)].slice(0, MAX_TRIES),
    };
  }
  for (const pattern of reader.patterns) {
    if (writer.patterns.some(({ text }) => text === pattern.text)) continue;
    const others = samples.filter((text) => !pattern.isIn(text)).slice(0, MAX_TRIES);
    yield {
      path: [],
      keyword: 'pattern',
      reader: `takes only strings that match ${pattern.text}`,
      writer: 'takes others',
      tries: () => others,
    };
  }
}
