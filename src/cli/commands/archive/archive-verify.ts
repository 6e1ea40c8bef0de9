// `madeleine archive verify`: makes every digest of archives again, and says what differs and where.

import { Command } from 'commander';
import { type CheckedArchive, checkArchive } from '../../../storage/archive/checked-archive.js';
import { dataPath, pathOf } from '../../../storage/archive/found-archives.js';
import { CommandFailed } from '../../connection/failures.js';
import type { CliDeps } from '../../deps.js';
import { archivesOf, type FileFlags, outputOf } from './archive-files.js';

const HELP = `
Reads every file whole: each part is unpacked, each event is read and its payload held against its SHA-256, and all counts, positions
and digests against the manifest. Says where something differs: the byte of the file at which the part begins, the line, the
positions. Exit code 1 if something does.

An archive that is not sealed is no problem: it grows, or its instance has ended and seals it at its next start. What follows its
whole parts was not deleted, and is cut off then.

Examples:
  $ madeleine archive verify ./archive
  $ madeleine archive verify ./archive/default.orders.0000000000001000.5ad0c2f7b14e9a63.ndjson.gz --json`;

export function archiveVerifyCommand(deps: CliDeps): Command {
  return new Command('verify')
    .description('hold archives against their manifests: files, or all files in a directory')
    .argument('<path...>', 'files or directories')
    .option('--json', 'print one JSON object a line')
    .addHelpText('after', HELP)
    .action((paths: readonly string[], flags: FileFlags) => verify(deps, paths, flags));
}

async function verify(deps: CliDeps, paths: readonly string[], flags: FileFlags): Promise<void> {
  const output = outputOf(deps, flags);
  const archives = await archivesOf(paths);
  let problems = 0;
  for (const archive of archives) {
    const checked = await checkArchive(archive);
    if (checked.problem !== undefined) problems += 1;
    await output.line(output.json ? checkedJson(checked) : checkedText(checked));
  }
  if (problems > 0)
    throw new CommandFailed(`${problems} of ${counted(archives.length, 'archive')} cannot be relied on`);
}

function checkedText({ archive, isSealed, extent, restBytes, problem }: CheckedArchive): string {
  if (problem !== undefined) return `WRONG     ${pathOf(archive)}: ${problem}`;
  const held = extent === undefined ? 'nothing' : counted(extent.entries, 'entry');
  const span = extent === undefined ? '' : `, positions ${extent.firstPosition} to ${extent.lastPosition}`;
  if (isSealed) return `ok        ${dataPath(archive)}: ${held}${span}`;
  const rest = restBytes === 0 ? '' : `, and ${counted(restBytes, 'byte')} of no whole part`;
  return `unsealed  ${dataPath(archive)}: ${held}${span}${rest}`;
}

function checkedJson({ archive, isSealed, extent, restBytes, problem }: CheckedArchive): string {
  const { firstPosition, lastPosition, entries = 0, payloadBytes = 0, fileBytes = 0 } = extent ?? {};
  return JSON.stringify({
    ...{ directory: archive.directory, name: archive.name, sealed: isSealed, entries, firstPosition, lastPosition },
    ...{ payloadBytes, fileBytes, restBytes, problem },
  });
}

function counted(count: number, word: string): string {
  return `${count} ${count === 1 ? word : word.replace(/y$/, 'ie').concat('s')}`;
}
