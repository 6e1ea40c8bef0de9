// Lines of the gRPC library, as they are told in the log.

import { describe, expect, it } from 'vitest';
import { LibraryLog } from '../../../src/grpc/server/library-log.js';
import type { Clock, Timer } from '../../../src/lib/clock.js';
import type { Logger } from '../../../src/telemetry.js';

class Shown implements Clock {
  atMs = 0;
  monotonicMs = () => this.atMs;
  nowMs = () => this.atMs;
  after(): Timer {
    throw new Error('not asked for');
  }
  every(): Timer {
    throw new Error('not asked for');
  }
}

function scene() {
  const told: object[] = [];
  const note = (fields: object, message: string) => void told.push({ ...fields, message });
  const logger: Logger = { debug: note, info: note, warn: note, error: note };
  const clock = new Shown();
  return { told, clock, log: new LibraryLog({ logger, clock }) };
}

const line = (key: string, value: string) =>
  `Failed to add metadata entry ${key}: ${value}. Metadata string value "${value}" contains illegal characters. For more`;

describe('a line of the gRPC library', () => {
  it('about metadata is told by its key, never by its value', () => {
    const { told, log } = scene();
    log.take(line('x-token', 'geheim\u00fc: and more'));
    expect(told).toEqual([{ key: 'x-token', untold: 0, message: expect.stringContaining('left out') }]);
  });

  it('about metadata whose key is none is told without it', () => {
    const { told, log } = scene();
    log.take(line('X Token geheim', 'geheim'));
    expect(JSON.stringify(told)).not.toContain('geheim');
  });

  it('is told seldom, with how many were not', () => {
    const { told, log, clock } = scene();
    for (let n = 0; n < 1_000; n += 1) log.take(line('x-token', 'a'));
    clock.atMs = 10_000;
    log.take(line('x-token', 'a'));
    expect(told).toMatchObject([{ untold: 0 }, { untold: 999 }]);
  });

  it('of another kind is cut, and has no control characters', () => {
    const { told, log } = scene();
    log.take(`cannot bind \u001b[31m${'x'.repeat(1_000)}`);
    expect(told).toEqual([
      { line: expect.stringMatching(/^cannot bind \?\[31mx{280,}$/), untold: 0, message: expect.any(String) },
    ]);
  });
});
