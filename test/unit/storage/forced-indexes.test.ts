// Statements on tables that grow with the log name their index: an optimizer that chooses by statistics chooses otherwise some day, and
// reads half an index for one row. What it costs is tested in test/plans; this finds a statement that was forgotten there.

import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const ROOT = new URL('../../../src/storage/mysql/', import.meta.url);
const NAMES = 'log|stream|topic|wait|shape_index|event_identity|event_subject|push_ledger|\\$\\{table\\}';
/** A table, perhaps with a letter for it, and no index behind it. */
const FREE = new RegExp(`\\b(?:FROM|JOIN|UPDATE) (${NAMES})(?![\\w-])(?: \\w(?!\\w))?(?! \\w? ?FORCE INDEX)`, 'g');

/** Whole unique keys, for which no statistics are asked, and DELETE of one table, which can name no index; by file. */
const MAY_BE_FREE: Readonly<Record<string, readonly string[]>> = {
  'erasure/erasure-writes.ts': ['FROM shape_index WHERE shape_id = ? AND value_hash = ? AND position = ?'],
  'log/event-log.ts': ['FROM log WHERE context_id = ? AND message_id = ?'],
  'log/stream-store.ts': ['FROM stream s JOIN context c ON c.id = s.context_id WHERE c.name = ? AND s.name = ?'],
  'topics/identity-store.ts': ['JOIN topic t ON t.id = b.topic_id'],
  'topics/schema-rows.ts': ['JOIN topic t ON t.id = s.topic_id'],
  'topics/topic-rows.ts': ['JOIN topic t ON t.id = r.topic_id'],
  'waits/raise-wait.ts': ['UPDATE wait SET expires_at = ? WHERE event_id = ?'],
  'waits/shape-store.ts': ['JOIN topic t ON t.id = s.topic_id', 'FROM shape_index WHERE shape_id = ? ORDER BY'],
  'waits/wait-rows.ts': ['FROM shape_index WHERE shape_id = ? AND value_hash = ? AND position = ?'],
  'waits/wait-store.ts': [
    'FROM push_ledger WHERE created_at < ',
    'FROM wait WHERE event_id = ?',
    'FROM push_ledger WHERE context_id = ? AND message_id = ?',
  ],
};

function freeStatements(path: string): string[] {
  const lines = readFileSync(new URL(path, ROOT), 'utf8').split('\n');
  const code = lines.filter((line) => !/^\s*(\/\/|\/?\*)/.test(line)).join(' ');
  const oneLine = code.replaceAll(/\s+/g, ' ');
  return [...oneLine.matchAll(FREE)].map(({ index }) => oneLine.slice(index, index + 200));
}

it('statements on tables that grow with the log name the index that they go by', () => {
  const paths = readdirSync(ROOT, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'));
  const free = paths
    .filter((path) => !path.startsWith('migrations/'))
    .flatMap((path) => freeStatements(path).map((text) => ({ path, text })));
  const isAllowed = ({ path, text }: (typeof free)[number]) =>
    (MAY_BE_FREE[path] ?? []).some((allowed) => text.startsWith(allowed));
  expect(free.filter((one) => !isAllowed(one))).toEqual([]);
  // What is allowed is there.
  expect(free.filter(isAllowed)).toHaveLength(Object.values(MAY_BE_FREE).flat().length);
});
