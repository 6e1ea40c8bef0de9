// Who asks, as management calls say it: the user of the operating system, unless somebody else is named.

import { userInfo } from 'node:os';
import { Option } from 'commander';
import { labelProblem } from '../../domain/names.js';

export interface ByFlag {
  readonly by?: string;
}

/** The flag of commands whose calls leave an entry in the audit. */
export function byOption(): Option {
  const option = new Option('--by <name>', 'who asks, for the audit');
  return option.default(userName(), 'the user of the operating system');
}

/** Undefined where it cannot be told, or is no text that is kept. */
function userName(): string | undefined {
  try {
    const { username } = userInfo();
    return labelProblem(username) === undefined ? username : undefined;
  } catch {
    // The user has no entry in the system's list.
    return undefined;
  }
}
