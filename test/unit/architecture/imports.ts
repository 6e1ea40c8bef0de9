// Reads the import statements of TypeScript files. Good for code in the house's format; it does not parse the language.

import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';

export interface Import {
  /** The importing file, from the repository's root. */
  readonly file: string;
  /** What is imported: a file from the repository's root (ending in .ts), or a package's or builtin's name. */
  readonly target: string;
  /** Whether nothing of it is left at run time. */
  readonly typeOnly: boolean;
}

const STATIC = /^(?:import|export)\s+(?<type>type\s+)?(?:[\w*{}\s,$]+?\s+from\s+)?'(?<from>[^']+)'/gm;
const DYNAMIC = /\b(?:import|require)\(\s*'(?<from>[^']+)'/g;

/** The imports of a source text; specifiers as written. */
export function parseImports(text: string): { readonly specifier: string; readonly typeOnly: boolean }[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  const fixed = [...code.matchAll(STATIC)].map(({ groups }) => ({
    specifier: groups?.from ?? '',
    typeOnly: groups?.type !== undefined,
  }));
  const dynamic = [...code.matchAll(DYNAMIC)].map(({ groups }) => ({ specifier: groups?.from ?? '', typeOnly: false }));
  return [...fixed, ...dynamic];
}

/** Every TypeScript file below a folder of the repository, from its root. */
export function listSources(folder: string): string[] {
  const names = readdirSync(new URL(`../../../${folder}/`, import.meta.url), { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.ts')).map((name) => posix.join(folder, name));
}

export function readImports(file: string): Import[] {
  const text = readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8');
  return parseImports(text).map(({ specifier, typeOnly }) => ({
    file,
    target: specifier.startsWith('.') ? resolveFile(file, specifier) : packageOf(specifier),
    typeOnly,
  }));
}

function resolveFile(file: string, specifier: string): string {
  return posix.join(posix.dirname(file), specifier).replace(/\.js$/, '.ts');
}

/** `mysql2/promise` is of the package mysql2; builtins keep their path. */
function packageOf(specifier: string): string {
  if (specifier.startsWith('node:')) return specifier;
  const [first = '', second = ''] = specifier.split('/');
  return first.startsWith('@') ? `${first}/${second}` : first;
}
