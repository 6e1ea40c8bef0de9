// Matching against a naive reference over random JSON: small alphabets, so that much of it matches.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkedLeaves,
  type Description,
  loadDescription,
  parseDescription,
} from '../../src/domain/descriptions/description.js';
import { DescriptionPaths } from '../../src/domain/descriptions/description-paths.js';
import { decodeShape, encodeShape } from '../../src/domain/descriptions/shape.js';
import { ShapeMatcher } from '../../src/domain/descriptions/shape-matcher.js';
import { MadeleineError } from '../../src/domain/errors.js';
import { canonicalNumber } from '../../src/domain/json/json-number.js';
import { parsePointer, pointerOf } from '../../src/domain/json/json-path.js';
import {
  bytesOf,
  jsonObject,
  jsonValue,
  type Model,
  naivelyContains,
  naivelyCount,
  naivelyEqual,
  near,
  type ObjectModel,
  sameNumber,
} from '../support/events/json-model.js';
import { PROPERTY_TIMEOUT_MS, propertyParameters } from '../support/property.js';

const parameters = propertyParameters(1_000);
const choices = fc.array(fc.nat(9), { minLength: 1, maxLength: 40 });
const space = fc.constantFrom('', '', ' ', '\n\t\r ');

interface Case {
  readonly payload: Model;
  readonly description: ObjectModel;
}

/** A payload and a description that is often contained in it. */
const pair: fc.Arbitrary<Case> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .record({ payload: jsonObject, choices, others: fc.array(jsonValue, { minLength: 1, maxLength: 3 }) })
      .map(({ payload, choices: taken, others }) => ({ payload, description: near(payload, taken, others) })),
  },
  { weight: 1, arbitrary: fc.record({ payload: jsonValue, description: jsonObject }) },
);

function parse(description: Model, between = ''): Description {
  return parseDescription(bytesOf(description, between), 'description');
}

type Members = ObjectModel['members'];

const NULL: Model = { kind: 'literal', text: 'null' };

function isEmpty(description: ObjectModel): boolean {
  return description.members.length === 0;
}

it('tries what matches about as often as what does not', () => {
  const cases = fc.sample(pair, { numRuns: 500, seed: 1 });
  const contained = cases.filter(({ payload, description }) => naivelyContains(payload, description));
  expect(contained.length).toBeGreaterThan(150);
  expect(contained.length).toBeLessThan(400);
});

describe('matching', { timeout: PROPERTY_TIMEOUT_MS }, () => {
  it('by hash and by value equals naive containment', () => {
    fc.assert(
      fc.property(pair, space, ({ payload, description }, between) => {
        fc.pre(!isEmpty(description));
        const parsed = parse(description, between);
        const bytes = bytesOf(payload, between);
        const expected = naivelyContains(payload, description);
        expect(parsed.isContainedIn(bytes)).toBe(expected);
        const [match] = new ShapeMatcher([parsed.shape]).match(bytes);
        expect(match?.hash.equals(parsed.hash) ?? false).toBe(expected);
        expect(match?.values === parsed.values).toBe(expected);
      }),
      parameters,
    );
  });

  it('says how close a payload is that does not contain the description', () => {
    fc.assert(
      fc.property(pair, ({ payload, description }) => {
        fc.pre(!isEmpty(description));
        const difference = parse(description).differenceTo(bytesOf(payload));
        const { leaves, matching } = naivelyCount(payload, description);
        if (leaves === matching) expect(difference).toBeUndefined();
        else expect(difference).toMatchObject({ leaves, matching });
      }),
      parameters,
    );
  });

  it('finds for many shapes at once what it finds for each alone', () => {
    const many = fc.record({ payload: jsonObject, asks: fc.array(choices, { minLength: 1, maxLength: 16 }) });
    fc.assert(
      fc.property(many, fc.array(jsonObject, { maxLength: 4 }), ({ payload, asks }, others) => {
        const described = [...asks.map((taken) => near(payload, taken, [payload])), ...others];
        const shapes = described.filter((one) => !isEmpty(one)).map((one) => parse(one).shape);
        const bytes = bytesOf(payload);
        const together = new ShapeMatcher(shapes).match(bytes);
        expect(together).toEqual(shapes.flatMap((shape) => new ShapeMatcher([shape]).match(bytes)));
      }),
      parameters,
    );
  });

  it('has one text, shape and hash for equal descriptions, and other texts for others', () => {
    fc.assert(
      fc.property(pair, space, ({ payload: other, description }, between) => {
        fc.pre(other.kind === 'object' && !isEmpty(other) && !isEmpty(description));
        const [a, b] = [parse(description, between), parse(other)];
        const equal = naivelyEqual(other, description);
        expect(a.text === b.text).toBe(equal);
        expect(a.shape.digest.equals(b.shape.digest) && a.hash.equals(b.hash)).toBe(equal);
      }),
      parameters,
    );
  });

  it('loads what it stored', () => {
    fc.assert(
      fc.property(jsonObject, (description) => {
        fc.pre(!isEmpty(description));
        const parsed = parse(description);
        const loaded = loadDescription(Buffer.from(parsed.text).toString());
        expect([loaded.text, loaded.values, loaded.hash]).toEqual([parsed.text, parsed.values, parsed.hash]);
        expect(loaded.shape).toEqual(parsed.shape);
        expect(decodeShape(encodeShape(parsed.shape))).toEqual(parsed.shape);
        expect(parsed.isContainedIn(Buffer.from(parsed.text))).toBe(true);
        expect(parsed.pointers.map(parsePointer)).toEqual(parsed.shape.paths);
      }),
      parameters,
    );
  });

  it('takes the description at given paths from the payload', () => {
    fc.assert(
      fc.property(jsonObject, fc.nat(), fc.nat(3), (payload, pick, length) => {
        fc.pre(!isEmpty(payload));
        const bytes = bytesOf(payload);
        const paths = parse(payload).shape.paths;
        const path = paths[pick % paths.length]!.slice(0, length + 1);
        const description = new DescriptionPaths([path]).describe(bytes, 'payload');
        expect(description.isContainedIn(bytes)).toBe(true);
        expect(description.pointers.every((pointer) => pointer.startsWith(pointerOf(path)))).toBe(true);
        const below = paths.filter((one) => path.every((key, index) => one[index] === key));
        expect(description.shape.paths).toEqual(below);
      }),
      parameters,
    );
  });

  it('refuses an object with a key twice, however many keys it has and however they are written', () => {
    const keys = fc.uniqueArray(fc.string({ unit: 'binary', maxLength: 3 }), { minLength: 1, maxLength: 80 });
    fc.assert(
      fc.property(keys, fc.nat(), fc.nat(), fc.nat(2), fc.boolean(), (names, from, to, escapes, inArray) => {
        const members: Members = names.map((text) => [{ text, escapes: 0 }, NULL]);
        const object: ObjectModel = { kind: 'object', members };
        const again: Members[number] = [{ text: names[from % names.length]!, escapes }, NULL];
        const doubled: ObjectModel = { kind: 'object', members: members.toSpliced(to % (names.length + 1), 0, again) };
        const wrapped = (model: Model) => bytesOf(inArray ? { kind: 'array', items: [model] } : model);
        const matcher = new ShapeMatcher([loadDescription('{"a":1}').shape]);
        const [sound, broken] = [wrapped(object), wrapped(doubled)];
        expect(() => checkedLeaves(sound, 'payload')).not.toThrow();
        expect(() => checkedLeaves(broken, 'payload')).toThrow(MadeleineError);
        expect(matcher.match(broken)).toEqual([]);
      }),
      parameters,
    );
  });
});

describe('canonical numbers', { timeout: PROPERTY_TIMEOUT_MS }, () => {
  const digits = fc.array(fc.constantFrom(...'0019'), { minLength: 1, maxLength: 12 }).map((all) => all.join(''));
  const nines = fc.integer({ min: 0, max: 20 }).map((count) => `1${'0'.repeat(count)}`);
  const power = fc.oneof(digits, nines, fc.integer({ min: 0, max: 30 }).map(String));
  const number = fc
    .tuple(fc.constantFrom('', '-'), digits, fc.option(digits), fc.constantFrom('e', 'E-', 'e+'), fc.option(power))
    .map(([minus, whole, fraction, e, exponent]) => {
      const integer = whole.replace(/^0+(?=\d)/, '');
      return `${minus}${integer}${fraction === null ? '' : `.${fraction}`}${exponent === null ? '' : e + exponent}`;
    });

  it('are equal for equal numbers only', () => {
    fc.assert(
      fc.property(number, number, (a, b) => {
        expect(canonicalNumber(a) === canonicalNumber(b)).toBe(sameNumber(a, b));
        expect(sameNumber(canonicalNumber(a), a), canonicalNumber(a)).toBe(true);
        expect(canonicalNumber(canonicalNumber(a))).toBe(canonicalNumber(a));
        expect(canonicalNumber(shifted(a))).toBe(canonicalNumber(a));
      }),
      propertyParameters(5_000),
    );
  });

  it('are what JavaScript writes for a double', () => {
    const double = fc.double({ noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(double, (value) => {
        expect(canonicalNumber(String(value))).toBe(String(value));
        expect(canonicalNumber(value.toExponential())).toBe(String(value));
      }),
      parameters,
    );
  });

  /** The same number, ten times greater and with an exponent one less. */
  function shifted(text: string): string {
    const [mantissa = '', exponent = '0'] = text.toLowerCase().split('e');
    const [whole, fraction = ''] = mantissa.split('.');
    const moved = fraction === '' ? `${whole}0` : `${whole}${fraction[0]}.${fraction.slice(1)}0`;
    return `${moved.replace(/^(-?)0+(?=\d)/, '$1')}e${BigInt(exponent.replace('+', '')) - 1n}`;
  }
});
