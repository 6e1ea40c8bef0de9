// Writes the generated parts of README.md: the table of settings and the client's code. `npx tsx test/docs/update-readme.ts`.

import { readFile, writeFile } from 'node:fs/promises';
import { generatedParts, withPart } from './generated-parts.js';

const readme = new URL('../../README.md', import.meta.url);
let text = await readFile(readme, 'utf8');
for (const [name, content] of Object.entries(await generatedParts())) text = withPart(text, name, content);
await writeFile(readme, text);
