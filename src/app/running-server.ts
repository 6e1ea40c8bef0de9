// Asks a server that runs already, over HTTP as its watchers do, how it is and what it says of its database.

import type { Inspection } from './inspection.js';

/** The server's own look at its database may wait for a connection and a statement. */
const ANSWER_MS = 10_000;

export interface RunningServer {
  readonly address: string;
  /** Why it is not ready; none: it is. */
  readonly reasons: readonly string[];
  /** Undefined: it is of a version that does not say. */
  readonly inspection: Inspection | undefined;
}

/** What the server at the address says; undefined when none of ours is there. */
export async function askRunningServer(address: string): Promise<RunningServer | undefined> {
  const readiness = await readJson(address, '/readyz');
  if (!isReadiness(readiness)) return undefined;
  const inspection = await readJson(address, '/doctor');
  return { address, reasons: readiness.reasons, inspection: isInspection(inspection) ? inspection : undefined };
}

async function readJson(address: string, path: string): Promise<unknown> {
  try {
    const response = await fetch(`http://${address}${path}`, { signal: AbortSignal.timeout(ANSWER_MS) });
    return await response.json();
  } catch {
    return undefined;
  }
}

function isReadiness(value: unknown): value is { readonly reasons: readonly string[] } {
  return typeof value === 'object' && value !== null && 'reasons' in value && Array.isArray(value.reasons);
}

function isInspection(value: unknown): value is Inspection {
  return (
    typeof value === 'object' &&
    value !== null &&
    'database' in value &&
    typeof value.database === 'string' &&
    'findings' in value &&
    Array.isArray(value.findings)
  );
}
