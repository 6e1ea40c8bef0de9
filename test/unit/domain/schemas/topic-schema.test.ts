// The versions of a topic's schema in memory: texts of all, functions of the latest.

import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { TopicSchema, TopicSchemas } from '../../../../src/domain/schemas/topic-schema.js';

/** Clears the memory of what nobody has. */
async function clear(): Promise<void> {
  // What was asked for in this turn of the event loop is kept to its end.
  await setImmediate();
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

const schema = (version: number) => new TopicSchema(version, `{"title":"version ${version}","type":"number"}`);
const ready = ({ versions }: TopicSchemas) => versions.map(({ isReady }) => isReady);

it('keeps the functions of the latest version only', async () => {
  const two = new TopicSchemas([schema(1), schema(2)]);
  for (const version of two.versions) version.prepared();
  await clear();
  expect(ready(two)).toEqual([false, true]);
  const three = two.with(schema(3));
  for (const version of three.versions) expect(version.prepared().isValid(1)).toBe(true);
  await clear();
  expect(ready(three)).toEqual([false, false, true]);
});
