import { describe, expect, it } from 'vitest';
import { Started } from '../../../src/app/started.js';
import type { Logger } from '../../../src/telemetry.js';

describe('what was started', () => {
  it('is stopped in the reverse order, once, whatever fails on the way', async () => {
    const warned: unknown[] = [];
    const started = new Started({ warn: (facts: object) => warned.push(facts) } as unknown as Logger);
    const stopped: string[] = [];
    const failure = new Error('stuck');
    started.add('database', async () => void stopped.push('database'));
    started.add('tail', () => Promise.reject(failure));
    started.add('server', async () => void stopped.push('server'));
    await started.stop();
    await started.stop();
    expect(stopped).toEqual(['server', 'database']);
    expect(warned).toEqual([{ err: failure, part: 'tail' }]);
  });
});
