// What editors are told agrees with what biome writes, and the files that nobody generates keep to it.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const read = (file: string) => readFileSync(file, 'utf8');
const FOLDERS = ['.ci', 'bin', 'docs', 'examples', 'proto', 'scripts', 'src', 'test'];
/** What is indented by tabs. */
const TABS = /(^Makefile|\.go|\/go\.mod)$/;
/** As in the last section of .editorconfig, and what npm writes. */
const GENERATED = /^(test\/migrations\/(dumps\/|schema\.sql$)|package-lock\.json$)/;

/** The files of the folders, and those that lie beside them. */
function listFiles(): readonly string[] {
  const inside = FOLDERS.flatMap((folder) => filesOf(folder, true));
  return [...filesOf('.', false), ...inside].filter((file) => !GENERATED.test(file));
}

function filesOf(folder: string, recursive: boolean): readonly string[] {
  const entries = readdirSync(folder, { recursive, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** The settings of the section for all files. */
function settingsOf(text: string): Record<string, string> {
  const section = /^\[\*\]\n(?<lines>(?:.+\n)+)/m.exec(text)?.groups?.lines ?? '';
  return Object.fromEntries(section.split('\n').flatMap((line) => (line === '' ? [] : [line.split(' = ')])));
}

describe('.editorconfig', () => {
  const settings = settingsOf(read('.editorconfig'));

  it('says what biome.json says', () => {
    const { formatter } = JSON.parse(read('biome.json'));
    expect(settings).toMatchObject({
      indent_style: formatter.indentStyle,
      indent_size: String(formatter.indentWidth),
      max_line_length: String(formatter.lineWidth),
    });
  });

  it('is kept by every file that people write', () => {
    const files = listFiles();
    expect(files.length).toBeGreaterThan(400);
    const faults = files.flatMap((file) => {
      const text = read(file);
      return [
        ...(text.endsWith('\n') ? [] : [`${file} does not end with a line's end`]),
        ...(/[ \t]$/m.test(text) ? [`${file} has spaces at the end of a line`] : []),
        ...(/\r/.test(text) ? [`${file} has carriage returns`] : []),
        ...(/^ *\t/m.test(text) !== TABS.test(file) ? [`${file} is not indented as it should be`] : []),
      ];
    });
    expect(faults).toEqual([]);
  });
});
