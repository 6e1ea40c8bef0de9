// What MariaDB's log says of a start that failed: the line that tells the cause, which is seldom the last one.

import { open } from 'node:fs/promises';
import { getSystemErrorMap } from 'node:util';

/** The end of the log, in bytes, in which the cause is looked for. */
const TAIL_BYTES = 65_536;

/** Lines that only say that something before them failed. */
const CONSEQUENCES = [
  /^Aborting$/i,
  /^Plugin '.*' (init function returned error|registration as a .* failed)/,
  /^Unknown\/unsupported storage engine/,
  /^Failed to initialize plugins/,
  /^InnoDB: (Database creation was aborted|Plugin initialization aborted|Unable to create the shared)/,
  /^InnoDB: Operating system error number|^InnoDB: The error means/,
  /^InnoDB: Cannot set log file/,
  /^Can't init (databases|tc log)/,
  /^Do you already have another/,
  /^Could not open mysql\.plugin table/,
];

/** Why the database did not start: one or two lines of its log, without their times; undefined where it does not say. */
export function causeIn(log: string): string | undefined {
  const lines = log.split('\n').map((line) => line.trim());
  const told = (mark: RegExp) =>
    lines.filter((line) => mark.test(line)).map((line) => withSystemError(line.replace(PREFIX, '')));
  const waiting = told(WAITING);
  const errors = told(/\[ERROR\]|\[FATAL\]/);
  const causes = errors.filter((line) => !CONSEQUENCES.some((pattern) => pattern.test(line)));
  // Statements of the first filling, and programs that end before there is a log, write without a mark.
  const plain = told(/^ERROR\b|: error while loading|\bgot signal \d+|^terminate called/);
  const fatal = causes.filter((line) => line.startsWith('Fatal error:'));
  const [found] = [waiting.slice(-1), fatal, causes, plain, errors].filter((list) => list.length > 0);
  return found === undefined ? undefined : [...new Set(found)].slice(0, 2).join('; ');
}

/** Whether the database waits for somebody to free space, which may last for ever. */
export function waitsForSpace(log: string): boolean {
  return WAITING.test(log);
}

const WAITING = /Disk is full/;
const PREFIX = /^.*?\[(ERROR|Warning|FATAL|Note)\]\s*/;

/** Numbers of the system's errors stand alone in some lines. */
function withSystemError(line: string): string {
  const [match, number] = /\b(?:error|errno:?|Errcode:)\s*(\d+)\.?$/.exec(line) ?? [];
  const [, meaning] = getSystemErrorMap().get(-Number(number)) ?? [];
  return match === undefined || meaning === undefined ? line : `${line.replace(/\.$/, '')} (${meaning})`;
}

/** What was written to a log since it had a length. Empty where it cannot be read. */
export async function readLogSince(path: string, length: number): Promise<string> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return '';
  try {
    const { size } = await file.stat();
    const start = Math.max(Math.min(length, size), size - TAIL_BYTES);
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(size - start), position: start });
    return buffer.toString('utf8', 0, bytesRead);
  } catch {
    return '';
  } finally {
    await file.close();
  }
}
