// Numbers by their exact decimal value.

import { describe, expect, it } from 'vitest';
import { canonicalNumber } from '../../../../src/domain/json/json-number.js';

describe('canonical numbers', () => {
  it.each([
    ['1', ['1', '1.0', '1e0', '10e-1', '0.1e1', '1.000E+00', '1000e-3']],
    ['0', ['0', '-0', '0.0', '-0.00e5', '0e999999999999999999999999']],
    ['-1', ['-1', '-1.0', '-10e-1']],
    ['100', ['100', '1e2', '1E+2', '100.00']],
    ['12.5', ['12.5', '12.50', '1.25e1', '125e-1']],
    ['0.001', ['0.001', '1e-3', '0.0010']],
    ['9007199254740992', ['9007199254740992', '9007199254740992.0']],
    ['9007199254740993', ['9007199254740993', '9.007199254740993e15']],
    ['100000000000000000000', ['1e20', '100000000000000000000']],
    ['1e+22', ['1e22', '10000000000000000000000', '0.1e23']],
    ['1e-7', ['1e-7', '0.0000001', '10e-8']],
  ])('write %s in one way', (canonical, spellings) => {
    for (const spelling of spellings) expect(canonicalNumber(spelling), spelling).toBe(canonical);
  });

  it('never write out what an exponent stands for', () => {
    expect(canonicalNumber('1e999999999')).toBe('1e+999999999');
    expect(canonicalNumber('10e999999998')).toBe('1e+999999999');
    expect(canonicalNumber('0.012e-999999999')).toBe('1.2e-1000000001');
  });

  it('stay exact with exponents that no double holds', () => {
    expect(canonicalNumber('1e9007199254740993')).toBe('1e+9007199254740993');
    expect(canonicalNumber('10e9007199254740992')).toBe('1e+9007199254740993');
    expect(canonicalNumber('1e0000009007199254740993')).toBe('1e+9007199254740993');
    expect(canonicalNumber('10e999999999999999')).toBe('1e+1000000000000000');
    expect(canonicalNumber('0.1e1000000000000000')).toBe('1e+999999999999999');
    expect(canonicalNumber('10e9999999999999999999')).toBe('1e+10000000000000000000');
    expect(canonicalNumber('0.1e-9999999999999999999')).toBe('1e-10000000000000000000');
    expect(canonicalNumber('10e-10000000000000000000')).toBe('1e-9999999999999999999');
    expect(canonicalNumber('100e-1000000000000000')).toBe('1e-999999999999998');
  });

  it('take time in proportion to the text', () => {
    const long = 250_000;
    const began = performance.now();
    expect(canonicalNumber(`1e${'9'.repeat(long)}`)).toHaveLength(long + 3);
    expect(canonicalNumber(`10e${'9'.repeat(long)}`)).toBe(`1e+1${'0'.repeat(long)}`);
    expect(canonicalNumber(`${'1'.repeat(long)}e5`)).toHaveLength(long + 1 + 'e+250004'.length);
    expect(canonicalNumber(`1${'0'.repeat(long)}1e5`)).toHaveLength(long + 3 + 'e+250006'.length);
    // Some milliseconds; seconds if a step were quadratic.
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});
