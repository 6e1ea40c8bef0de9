// The manifest of a sealed archive: what is in it, and what proves that it is whole.

import type { Position } from '../../units.js';

/** The version of what archives look like. A reader that knows a lower one refuses it. */
export const ARCHIVE_FORMAT = 1;

/** What an archive holds, by what was written. */
export interface ArchiveContent {
  readonly context: string;
  readonly topic: string;
  readonly firstPosition: Position;
  readonly lastPosition: Position;
  readonly entries: number;
  readonly payloadBytes: number;
  /** RFC 3339: when the first and the last entry were created. */
  readonly firstTime: string;
  readonly lastTime: string;
  /** Bytes of the file with the entries. */
  readonly fileBytes: number;
  /** SHA-256 of that file, in hex. */
  readonly sha256: string;
  /** See EntriesDigest. */
  readonly digest: string;
}

export interface Manifest extends ArchiveContent {
  readonly format: number;
  /** Name of the file with the entries, beside the manifest. */
  readonly file: string;
  /** Id of the instance's run that wrote it. */
  readonly instance: string;
  readonly serverVersion: string;
  readonly sealedAt: string;
}

export function manifestText(manifest: Manifest): string {
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

/** A manifest that cannot be used, and why. */
export class ManifestProblem extends Error {
  override readonly name = 'ManifestProblem';
}

const TEXTS = [
  'file',
  'context',
  'topic',
  'firstTime',
  'lastTime',
  'sha256',
  'digest',
  'instance',
  'sealedAt',
] as const;
const NUMBERS = ['firstPosition', 'lastPosition', 'entries', 'payloadBytes', 'fileBytes'] as const;

/** Reads a manifest. Throws ManifestProblem. */
export function readManifest(text: string): Manifest {
  const manifest = parsed(text) as Partial<Record<keyof Manifest, unknown>>;
  if (typeof manifest.format === 'number' && manifest.format > ARCHIVE_FORMAT) {
    throw new ManifestProblem(`is of format ${manifest.format}, and this program knows ${ARCHIVE_FORMAT}`);
  }
  const lacks =
    manifest.format !== ARCHIVE_FORMAT
      ? 'format'
      : (TEXTS.find((member) => typeof manifest[member] !== 'string') ??
        NUMBERS.find((member) => !Number.isSafeInteger(manifest[member])));
  if (lacks !== undefined) throw new ManifestProblem(`has no ${lacks}`);
  return manifest as Manifest;
}

function parsed(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Said below.
  }
  throw new ManifestProblem('is no JSON object');
}
