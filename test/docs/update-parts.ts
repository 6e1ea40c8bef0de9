// Writes the parts of pages that are made from code: the table of settings and the client's code. `npx tsx test/docs/update-parts.ts`.

import { readFile, writeFile } from 'node:fs/promises';
import { generatedParts, withPart } from './generated-parts.js';

for (const { page, name, content } of await generatedParts()) {
  const file = new URL(`../../${page}`, import.meta.url);
  await writeFile(file, withPart(await readFile(file, 'utf8'), name, content));
}
