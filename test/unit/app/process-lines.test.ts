// Lines that libraries and the runtime print are told in the log, and nowhere else.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ProcessLines } from '../../../src/app/process-lines.js';
import type { Logger } from '../../../src/telemetry.js';

const printer = globalThis.console;
const told: Record<string, unknown>[] = [];
const note = (fields: object, message: string) => void told.push({ ...fields, message });
const logger: Logger = { debug: note, info: note, warn: note, error: note };

describe('what is printed by others', () => {
  const written = vi.fn(() => true);
  let lines: ProcessLines;

  beforeEach(() => {
    told.length = 0;
    written.mockClear();
    lines = new ProcessLines(logger);
    lines.take();
    vi.spyOn(process.stdout, 'write').mockImplementation(written);
    vi.spyOn(process.stderr, 'write').mockImplementation(written);
  });
  afterEach(() => {
    vi.restoreAllMocks();
    lines.release();
  });

  it.each(['log', 'info', 'debug', 'warn', 'error'] as const)('by console.%s is in the log', (method) => {
    printer[method]('packets out of order', 7);
    expect(told).toEqual([{ line: 'packets out of order 7', message: 'a library says' }]);
    expect(written).not.toHaveBeenCalled();
  });

  it('is cut, and has neither control characters nor the members of objects', () => {
    printer.error('\u001b[31mx'.repeat(1_000), { secret: 'geheim' }, new TypeError('wrong'));
    printer.error({ secret: 'geheim' }, new TypeError('wrong'));
    const [long, short] = told.map(({ line }) => String(line));
    expect(long).toHaveLength(300);
    expect(long).not.toContain('\u001b');
    expect(short).toBe('[object Object] TypeError: wrong');
  });

  it('as a warning of the runtime is in the log', async () => {
    process.emitWarning('too many listeners', 'MaxListenersExceededWarning');
    await new Promise((resolve) => setImmediate(resolve));
    expect(told).toEqual([
      { name: 'MaxListenersExceededWarning', warning: 'too many listeners', message: 'the runtime warns' },
    ]);
    expect(written).not.toHaveBeenCalled();
  });
});
