// The parts of pages that are made from code; each stands between `<!-- name -->` and `<!-- /name -->`.

import { readFile } from 'node:fs/promises';
import { OPTIONS } from '../../src/config.js';

export interface GeneratedPart {
  /** The page, from the root of the repository. */
  readonly page: string;
  readonly name: string;
  /** As it has to be. */
  readonly content: string;
}

export async function generatedParts(): Promise<readonly GeneratedPart[]> {
  const client = 'examples/client.ts';
  const schema = 'examples/schemas/invoice.json';
  return [
    { page: 'README.md', name: client, content: await sourceBlock(client) },
    { page: 'docs/settings.md', name: 'settings', content: settingsTable() },
    { page: 'docs/schemas.md', name: schema, content: await sourceBlock(schema) },
  ];
}

/** The content of a part as it is; undefined without its marks. */
export function partOf(text: string, name: string): string | undefined {
  const begin = text.indexOf(`<!-- ${name} -->\n`);
  const end = text.indexOf(`<!-- /${name} -->`);
  return begin < 0 || end < begin ? undefined : text.slice(begin + name.length + 10, end);
}

/** The text with another content of the part. */
export function withPart(text: string, name: string, content: string): string {
  const former = partOf(text, name);
  if (former === undefined) throw new Error(`the page has no part ${name}`);
  return text.replace(`<!-- ${name} -->\n${former}`, () => `<!-- ${name} -->\n${content}`);
}

function settingsTable(): string {
  const rows = Object.values(OPTIONS).map(({ variable, flag, default: fallback, text }) => {
    return `| \`${variable}\` | \`${flag}\` | ${fallback === '' ? '' : `\`${fallback}\``} | ${text} |`;
  });
  return `${['| variable | flag | default | meaning |', '|---|---|---|---|', ...rows].join('\n')}\n`;
}

/** The file as a fenced block, without the comment at its top. */
async function sourceBlock(path: string): Promise<string> {
  const source = await readFile(new URL(`../../${path}`, import.meta.url), 'utf8');
  return `\`\`\`${path.endsWith('.json') ? 'json' : 'ts'}\n${source.replace(/^(\/\/.*\n)+/, '')}\`\`\`\n`;
}
