// One signal of several, such as that of a call and that of the drain, which thousands of calls share.

import { getEventListeners } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import { joinSignals } from '../../../../src/engine/log/log-wait.js';

describe('signals that are joined', () => {
  it('let go of each once, though the call that aborted is also over', () => {
    const [call, drain] = [new AbortController(), new AbortController()];
    const joined = joinSignals([call.signal, drain.signal]);
    const removed = vi.spyOn(drain.signal, 'removeEventListener');
    call.abort();
    joined.release();
    expect(joined.signal.aborted).toBe(true);
    expect(getEventListeners(drain.signal, 'abort')).toEqual([]);
    expect(removed).toHaveBeenCalledTimes(1);
  });

  it('abort at once where one has aborted, and no more when they were let go of', () => {
    const [call, drain] = [new AbortController(), new AbortController()];
    const joined = joinSignals([call.signal, drain.signal]);
    joined.release();
    drain.abort();
    expect(joined.signal.aborted).toBe(false);
    expect(joinSignals([call.signal, drain.signal]).signal.aborted).toBe(true);
  });
});
