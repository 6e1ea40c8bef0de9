import { describe, expect, it } from 'vitest';
import { SettledMarks } from '../../../../src/engine/retention/settled-marks.js';

describe('marks of what is settled', () => {
  it('say where it was some time ago, and nothing before that is known', () => {
    const marks = new SettledMarks(10_000);
    expect(marks.note(0, 5)).toBe(0);
    expect(marks.note(9_999, 7)).toBe(0);
    expect(marks.note(10_000, 8)).toBe(5);
    expect(marks.note(19_998, 9)).toBe(5);
    expect(marks.note(19_999, 9)).toBe(7);
    expect(marks.note(90_000, 9)).toBe(9);
  });

  it('go on after a time without a look', () => {
    const marks = new SettledMarks(10_000);
    marks.note(0, 5);
    expect(marks.note(1_000_000, 50)).toBe(5);
    expect(marks.note(1_000_001, 51)).toBe(5);
    expect(marks.note(1_010_000, 60)).toBe(50);
  });
});
