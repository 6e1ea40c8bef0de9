import { describe, expect, it } from 'vitest';
import { MadeleineError } from '../../../../src/domain/errors.js';
import { parseTtl, ttlMicros } from '../../../../src/domain/retention/ttl.js';

const DAY = 86_400_000_000;

describe('a ttl', () => {
  it.each([
    ['', 'permanent', undefined],
    ['permanent', 'permanent', undefined],
    [' Permanent ', 'permanent', undefined],
    ['ephemeral', 'ephemeral', undefined],
    ['24days', '24days', 24 * DAY],
    ['24 days', '24days', 24 * DAY],
    ['024d', '24days', 24 * DAY],
    ['576h', '24days', 24 * DAY],
    ['1day', '1day', DAY],
    ['1440 minutes', '1day', DAY],
    ['36h', '36h', 1.5 * DAY],
    ['36 Hours', '36h', 1.5 * DAY],
    ['90m', '90min', DAY / 16],
    ['90 mins', '90min', DAY / 16],
    ['60s', '1min', DAY / 1_440],
    ['61s', '61s', 61_000_000],
    ['2weeks', '14days', 14 * DAY],
    ['1000years', '365000days', 365_000 * DAY],
  ])('%j is %s', (text, normal, micros) => {
    expect(parseTtl(text, 'settings.ttl')).toBe(normal);
    expect(parseTtl(normal, 'settings.ttl')).toBe(normal);
    expect(ttlMicros(normal)).toBe(micros);
  });

  it.each([
    ['soon', 'is no duration: write a number with a unit, as 24days, 36h or 90min, or permanent, or ephemeral'],
    ['24', 'is no duration: write a number with a unit, as 24days, 36h or 90min, or permanent, or ephemeral'],
    ['days', 'is no duration: write a number with a unit, as 24days, 36h or 90min, or permanent, or ephemeral'],
    ['1day12h', 'is no duration: write a number with a unit, as 24days, 36h or 90min, or permanent, or ephemeral'],
    ['1e3days', 'is no duration: write a number with a unit, as 24days, 36h or 90min, or permanent, or ephemeral'],
    ['３days', 'is no duration: write a number with a unit, as 24days, 36h or 90min, or permanent, or ephemeral'],
    ['90ms', 'is no duration: write a number with a unit, as 24days, 36h or 90min, or permanent, or ephemeral'],
    ['24hs', 'is no duration: write a number with a unit, as 24days, 36h or 90min, or permanent, or ephemeral'],
    ['ss', 'is no duration: write a number with a unit, as 24days, 36h or 90min, or permanent, or ephemeral'],
    [`${'9'.repeat(60)}days`, 'is longer than 1000 years: for ever is permanent'],
    [
      `${'9'.repeat(5_000_000)}days`,
      'is no duration: write a number with a unit, as 24days, 36h or 90min, or permanent, or ephemeral',
    ],
    [`1${'0'.repeat(30)} years`, 'is longer than 1000 years: for ever is permanent'],
    ['1001years', 'is longer than 1000 years: for ever is permanent'],
    ['-1day', 'is negative'],
    ['-0h', 'is negative'],
    ['0days', 'is shorter than 1min: what nobody has to keep is ephemeral'],
    ['59s', 'is shorter than 1min: what nobody has to keep is ephemeral'],
    ['1.5h', 'is no whole number: write it in a smaller unit'],
  ])('is not %.40j', (text, description) => {
    let error: unknown;
    try {
      parseTtl(text, 'settings.ttl');
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(MadeleineError);
    expect((error as MadeleineError).reason).toBe('FIELD_INVALID');
    expect((error as MadeleineError).message).toContain(description);
  });
});
