// The server of an earlier commit, checked out into a directory of its own, on a private database.

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { TestProcess } from '../server/process.js';
import { ContractClient, loadContract, REPOSITORY } from './contract.js';
import { SECRET_KEY } from './old-waits.js';

const run = promisify(execFile);
const MAX_ARCHIVE_BYTES = 64 * 1024 * 1024;
/** What the dump says of the server that wrote it. */
const ADDRESS = 'old.internal:50051';

/** Puts the files of a commit into a new directory, with the packages of this checkout: later commits only added some. */
export async function checkOut(commit: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'madeleine-checkout-'));
  const archive = join(directory, 'archive.tar');
  const { stdout } = await run('git', ['archive', '--format=tar', commit], {
    cwd: REPOSITORY,
    encoding: 'buffer',
    maxBuffer: MAX_ARCHIVE_BYTES,
  });
  await writeFile(archive, stdout);
  await run('tar', ['-xf', archive, '-C', directory]);
  await rm(archive);
  await symlink(join(REPOSITORY, 'node_modules'), join(directory, 'node_modules'));
  await mkdir(join(directory, 'data'), { recursive: true });
  return directory;
}

/** Runs the commit's server for as long as the work takes, and its own client with it; ends it in order. */
export async function withOldServer(
  checkout: string,
  databaseUrl: string,
  work: (client: ContractClient) => Promise<void>,
): Promise<void> {
  const server = new TestProcess({
    file: relative(REPOSITORY, join(checkout, 'src/main.ts')),
    arguments: ['serve'],
    cwd: checkout,
    environment: {
      MADELEINE_DATABASE_URL: databaseUrl,
      MADELEINE_LISTEN: '127.0.0.1:0',
      MADELEINE_HTTP_LISTEN: '127.0.0.1:0',
      MADELEINE_PEER_ADVERTISE: ADDRESS,
      MADELEINE_SECRET_KEY: SECRET_KEY,
      MADELEINE_CALLBACK_ALLOW: '127.0.0.1',
      MADELEINE_LOG_LEVEL: 'info',
    },
  });
  try {
    const [line] = await server.printed(/^.*"msg":"listening".*$/m, 60_000);
    const { grpc } = JSON.parse(line) as { readonly grpc: string };
    const client = new ContractClient(grpc, await loadContract(checkout));
    await work(client).finally(() => client.close());
  } finally {
    await server.end('SIGTERM');
  }
}
