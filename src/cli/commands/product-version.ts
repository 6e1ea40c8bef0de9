// The version of the package that this is of.

import { readFileSync } from 'node:fs';
import { PACKAGE_ROOT } from '../../lib/package-root.js';

export function productVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('package.json', PACKAGE_ROOT), 'utf8')) as { version: string };
  return version;
}
