import { describe, expect, it } from 'vitest';
import { KnownStreams } from '../../../../../src/engine/consumers/named/known-streams.js';

/** Streams of which these are known; and what was asked. */
function known(...names: string[]) {
  const asked: unknown[] = [];
  const streams = new KnownStreams({
    pushedTo: async (context, wanted) => {
      asked.push([context, ...wanted]);
      return new Set(names);
    },
  });
  return { streams, asked };
}

function named(...names: string[]) {
  return names.map((name, index) => ({ field: `streams[${index}]`, name }));
}

describe('streams that have to be there', () => {
  it('are not asked for where none is named', async () => {
    const { streams, asked } = known();
    await streams.assertPushedTo('default', []);
    expect(asked).toEqual([]);
  });

  it('are asked for together, and pass if all are known', async () => {
    const { streams, asked } = known('a', 'b');
    await streams.assertPushedTo('all', named('b', 'a', 'b'));
    expect(asked).toEqual([['all', 'b', 'a']]);
  });

  it('are named one by one where they are unknown, by their fields of the request', async () => {
    const { streams } = known('b');
    await expect(streams.assertPushedTo('default', named('c', 'b', 'a', 'c'))).rejects.toMatchObject({
      reason: 'STREAM_UNKNOWN',
      message: 'streams[0]: nobody ever pushed to a stream "c"',
      violations: [0, 2, 3].map((index) => ({ field: `streams[${index}]` })),
    });
  });
});
