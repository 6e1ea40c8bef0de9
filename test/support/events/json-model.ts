// JSON values as the tests of matching see them: numbers keep their spelling, strings say how they are escaped. With a naive
// containment to hold the real one against; it shares nothing with src/domain.

import fc from 'fast-check';

export interface Text {
  readonly text: string;
  /** 0: as it is; 1: every unit as \uXXXX; 2: every other unit so. */
  readonly escapes: number;
}

export type Model =
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'literal'; readonly text: 'true' | 'false' | 'null' }
  | { readonly kind: 'string'; readonly value: Text }
  | { readonly kind: 'array'; readonly items: readonly Model[] }
  | { readonly kind: 'object'; readonly members: readonly (readonly [key: Text, value: Model])[] };

export type ObjectModel = Extract<Model, { kind: 'object' }>;

const KEYS = [
  'a',
  'b',
  'a.b',
  'a/b',
  'a"b',
  '~',
  '',
  '\u0000',
  'é',
  'e\u0301',
  '__proto__',
  '\ud800',
  '\udc00',
  '\ufffd',
];
const STRINGS = ['', 'x', 'X', '1', 'null', 'é', 'e\u0301', 'Å', '\u212b', '\u{1f600}', '\ud83d', 'a"\\/\n', 'x '];
const NUMBERS = [
  ...['0', '-0', '0.0', '0e9', '-0.0e-99999999999999999999', '1', '1.0', '1e0', '10e-1', '0.1e+1', '-1', '-1.00'],
  ...['100', '1e2', '1E+02', '0.5', '5e-1', '9007199254740992', '9007199254740993', '9007199254740993.0'],
  ...['1e999999999', '10e999999998', '1e1000000000', '1e99999999999999999999', '0.1e100000000000000000000'],
];

const text = (...of: string[]) => fc.record({ text: fc.constantFrom(...of), escapes: fc.constantFrom(0, 0, 0, 1, 2) });

const scalar: fc.Arbitrary<Model> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...NUMBERS).map((number): Model => ({ kind: 'number', text: number })) },
  { weight: 2, arbitrary: text(...STRINGS).map((value): Model => ({ kind: 'string', value })) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom('true', 'false', 'null')
      .map((literal): Model => ({ kind: 'literal', text: literal as 'null' })),
  },
);

const NESTING = { maxDepth: 3, depthSize: 'small', depthIdentifier: fc.createDepthIdentifier() } as const;

const { value, object } = fc.letrec<{ value: Model; array: Model; object: ObjectModel }>((tie) => ({
  value: fc.oneof(NESTING, scalar, tie('object'), tie('array')),
  array: fc.array(tie('value'), { maxLength: 3, ...NESTING }).map((items): Model => ({ kind: 'array', items })),
  object: fc
    .uniqueArray(fc.tuple(text(...KEYS), tie('value')), { maxLength: 4, selector: ([key]) => key.text, ...NESTING })
    .map((members): ObjectModel => ({ kind: 'object', members })),
}));

export const jsonValue = value;
export const jsonObject = object;

/** The JSON text; `space` goes between all tokens. */
export function render(model: Model, space = ''): string {
  switch (model.kind) {
    case 'number':
    case 'literal':
      return `${space}${model.text}${space}`;
    case 'string':
      return `${space}${renderText(model.value)}${space}`;
    case 'array':
      return `${space}[${space}${model.items.map((item) => render(item, space)).join(',')}]${space}`;
    case 'object': {
      const members = model.members.map(([key, of]) => `${space}${renderText(key)}${space}:${render(of, space)}`);
      return `${space}{${space}${members.join(',')}}${space}`;
    }
  }
}

export function bytesOf(model: Model, space = ''): Buffer {
  return Buffer.from(render(model, space));
}

function renderText(of: Text): string {
  if (of.escapes === 0) return JSON.stringify(of.text);
  if (of.escapes === 1) return `"${[...of.text.split('')].map(unit).join('')}"`;
  // Code points, so that no raw half of a surrogate pair comes to stand beside an escaped one.
  const points = Array.from(of.text, (point, index) =>
    index % 2 === 0 ? [...point.split('')].map(unit).join('') : JSON.stringify(point).slice(1, -1),
  );
  return `"${points.join('')}"`;
}

function unit(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** Whether the payload contains the description, by the words of the contract. */
export function naivelyContains(payload: Model | undefined, description: Model): boolean {
  if (description.kind !== 'object' || description.members.length === 0) return naivelyEqual(payload, description);
  return description.members.every(([key, wanted]) => naivelyContains(memberOf(payload, key.text), wanted));
}

export function naivelyEqual(a: Model | undefined, b: Model): boolean {
  if (a === undefined) return false;
  if (a.kind === 'number' && b.kind === 'number') return sameNumber(a.text, b.text);
  if (a.kind === 'literal' && b.kind === 'literal') return a.text === b.text;
  if (a.kind === 'string' && b.kind === 'string') return a.value.text === b.value.text;
  if (a.kind === 'array' && b.kind === 'array') {
    return a.items.length === b.items.length && a.items.every((item, index) => naivelyEqual(item, b.items[index]!));
  }
  if (a.kind !== 'object' || b.kind !== 'object') return false;
  return (
    a.members.length === b.members.length &&
    a.members.every(([key, of]) => {
      const other = memberOf(b, key.text);
      return other !== undefined && naivelyEqual(of, other);
    })
  );
}

function memberOf(model: Model | undefined, key: string): Model | undefined {
  return model?.kind === 'object' ? model.members.find(([{ text: name }]) => name === key)?.[1] : undefined;
}

/** Leaves of the description, and how many of them the payload has. */
export function naivelyCount(payload: Model | undefined, description: Model): { leaves: number; matching: number } {
  if (description.kind !== 'object' || description.members.length === 0) {
    return { leaves: 1, matching: naivelyEqual(payload, description) ? 1 : 0 };
  }
  const counts = description.members.map(([key, wanted]) => naivelyCount(memberOf(payload, key.text), wanted));
  return {
    leaves: counts.reduce((sum, one) => sum + one.leaves, 0),
    matching: counts.reduce((sum, one) => sum + one.matching, 0),
  };
}

/** By mantissa and exponent as whole numbers: m * 10^e without trailing zeros in m. */
export function sameNumber(a: string, b: string): boolean {
  const [left, right] = [decimal(a), decimal(b)];
  return left.mantissa === right.mantissa && left.exponent === right.exponent;
}

function decimal(number: string): { mantissa: bigint; exponent: bigint } {
  const [digits = '', power = '0'] = number.toLowerCase().split('e');
  const [whole = '', fraction = ''] = digits.split('.');
  let mantissa = BigInt(whole.replace('-', '') + fraction);
  let exponent = BigInt(power.replace('+', '')) - BigInt(fraction.length);
  if (mantissa === 0n) return { mantissa, exponent: 0n };
  while (mantissa % 10n === 0n) {
    mantissa /= 10n;
    exponent += 1n;
  }
  return { mantissa: number.startsWith('-') ? -mantissa : mantissa, exponent };
}

/**
 * A description near the payload: some members are left out, some leaves spelled in another way, some changed. The choices
 * are numbers from 0 to 9, taken in turn.
 */
export function near(payload: ObjectModel, choices: readonly number[], others: readonly Model[]): ObjectModel {
  let taken = 0;
  const choose = () => choices[taken++ % choices.length] as number;
  const leaf = (model: Model): Model => {
    const choice = choose();
    if (choice === 9) return others[taken % others.length] as Model;
    if (choice < 5 && model.kind === 'number') return { kind: 'number', text: respelled(model.text, choice) };
    return model;
  };
  const walk = (model: Model): Model =>
    model.kind === 'object' && model.members.length > 0 ? walkObject(model) : leaf(model);
  const walkObject = (model: ObjectModel): ObjectModel => {
    const kept = model.members.filter(() => choose() > 3);
    const members = kept.map(([key, of]) => [key, walk(of)] as const);
    return { kind: 'object', members: choose() < 4 ? members.reverse() : members };
  };
  return walkObject(payload);
}

/** The same number in other words. */
function respelled(number: string, zeros: number): string {
  if (/e/i.test(number)) return number;
  return `${number}${number.includes('.') ? '' : '.0'}${'0'.repeat(zeros)}e${zeros % 2 === 0 ? '+0' : '-00'}`;
}
