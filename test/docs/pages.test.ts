// Executes README.md: `make run`, then the five minutes as written, and compares what they print with what it promises. The pages that
// go on where it ends are executed after it, on the same server. Only addresses and the data directory are replaced, so that it runs
// beside other servers.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../support/database/private-database.js';
import { waitUntil } from '../support/wait-until.js';
import { type Block, consoleBlocks, type Step, steady } from './console-blocks.js';
import { generatedParts, partOf } from './generated-parts.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DEFAULT_GRPC = 'localhost:50051';
const STOP_MS = 15_000;
/** Where examples/webhook-receiver.ts listens unless told. */
const DEFAULT_RECEIVER = '127.0.0.1:4000';

/** The pages that go on where the README ends, in the order in which they are linked to. */
const FURTHER_PAGES = ['docs/grpcurl.md', 'docs/waits.md', 'docs/schemas.md'];

const read = (page: string) => readFile(join(ROOT, page), 'utf8');
const readmeBlocks = consoleBlocks(await read('README.md'));
const block = (kind: string) => readmeBlocks.find((one) => one.kind === kind) as Block;

/** A program that runs beside the commands; what it prints is kept. */
class Background {
  readonly #child: ChildProcess;
  readonly #isGroup: boolean;
  output = '';

  /** `isGroup`: signals go to all that it starts, as those of a terminal do. */
  constructor(command: string, environment: NodeJS.ProcessEnv, isGroup = false) {
    this.#isGroup = isGroup;
    this.#child = spawn('bash', ['-c', command], {
      cwd: ROOT,
      env: environment,
      detached: isGroup,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
  }

  get ended(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  async stop(signal: NodeJS.Signals): Promise<void> {
    if (this.ended) return;
    const ended = once(this.#child, 'exit');
    if (this.#isGroup) process.kill(-(this.#child.pid ?? 0), signal);
    else this.#child.kill(signal);
    await ended;
  }
}

interface Listening {
  readonly msg: string;
  readonly grpc: string;
  readonly http: string;
}

function listeningLine(output: string): (Listening & object) | undefined {
  const line = output.split('\n').find((text) => text.includes('"msg":"listening"'));
  return line === undefined ? undefined : JSON.parse(line);
}

/** Command lines of living processes that mention the text. */
async function processesWith(text: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
  return lines.filter((line) => line.includes(text)).map((line) => line.replaceAll('\0', ' '));
}

describe('the pages', () => {
  let dataDir: string;
  let server: Background;
  let watch: Background;
  const waiting: { program: Background; step: Step }[] = [];
  const receivers: { program: Background; step: Step }[] = [];
  let environment: NodeJS.ProcessEnv;
  let receiver: string;
  let listening: Listening;

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'madeleine-readme-'));
    const settings = {
      MADELEINE_LISTEN: '127.0.0.1:0',
      MADELEINE_HTTP_LISTEN: '127.0.0.1:0',
      MADELEINE_DATABASE_URL: '',
      // As docs/waits.md starts it for the receiver.
      MADELEINE_CALLBACK_ALLOW: '127.0.0.1',
    };
    const { MADELEINE_SERVER: _, ...own } = process.env;
    server = new Background(block('server').steps[0]?.command ?? '', {
      ...own,
      ...settings,
      MADELEINE_DATA_DIR: dataDir,
    });
    listening = await waitUntil(
      () => {
        if (server.ended) throw new Error(`make run ended: ${server.output}`);
        return listeningLine(server.output);
      },
      { what: 'make run says that it listens', timeoutMs: 100_000 },
    );
    const receiverPort = await freePort();
    receiver = `127.0.0.1:${receiverPort}`;
    environment = { ...own, MADELEINE_SERVER: listening.grpc, PORT: String(receiverPort) };
  });

  afterAll(async () => {
    await watch?.stop('SIGKILL');
    for (const { program } of [...waiting, ...receivers]) await program.stop('SIGKILL');
    await rm(join(ROOT, 'webhook.secret'), { force: true });
    await server?.stop('SIGTERM');
    await rm(dataDir, { recursive: true, force: true });
  });

  /** What a command prints on both outputs as a terminal shows it, whatever its exit code. */
  async function run(command: string, env = environment): Promise<string> {
    const { stdout } = await promisify(execFile)('bash', ['-c', `exec 2>&1; ${command}`], { cwd: ROOT, env }).catch(
      (error: { stdout: string }) => error,
    );
    // npm has news of its own for people.
    return stdout.replaceAll(/^npm (warn|notice).*\n/gm, '');
  }

  async function expectText(step: Step, command = step.command): Promise<void> {
    const printed = (await run(command)).trimEnd();
    expect(steady(printed), step.command).toBe(steady(step.output.join('\n').trimEnd()));
  }

  /** grpcurl itself is not in Debian: `buf curl` speaks the same protocol to the same reflection. */
  async function expectJson(step: Step): Promise<void> {
    const call = /^grpcurl -plaintext -d ('[^']*') (\S+) (\S+)$/.exec(step.command);
    if (call === null || call[2] !== DEFAULT_GRPC) throw new Error(`not understood: ${step.command}`);
    const options = '--protocol grpc --http2-prior-knowledge';
    const printed = await run(
      `node_modules/.bin/buf curl ${options} -d ${call[1]} http://${listening.grpc}/${call[3]}`,
    );
    expect(JSON.parse(steady(printed)), step.command).toEqual(JSON.parse(steady(step.output.join('\n'))));
  }

  it('start a server with `make run`, which says where it listens', () => {
    const promised = JSON.parse(block('server').steps[0]?.output[0] ?? '');
    expect(Object.keys(listening).sort()).toEqual(expect.arrayContaining(Object.keys(promised).sort()));
    expect(listening.grpc).toMatch(/^127\.0\.0\.1:[1-9]\d*$/);
  });

  /** A command that goes on beside the others: it has begun when its first line is there, and `expectEnded` looks at the rest. */
  async function begin(step: Step): Promise<void> {
    const program = new Background(step.command, environment);
    waiting.push({ program, step });
    await waitUntil(() => program.output.includes('\n'), {
      what: `${step.command} prints ${step.output[0]}`,
      timeoutMs: 30_000,
    });
  }

  /** A receiver goes on beside the others until all that it promises has come. */
  async function receive(step: Step): Promise<void> {
    const program = new Background(step.command, environment, true);
    receivers.push({ program, step });
    await waitUntil(() => program.output.includes('\n'), { what: 'the receiver listens', timeoutMs: 30_000 });
  }

  /** What was received is what was promised; Ctrl-C ends it. */
  async function expectReceived(): Promise<void> {
    for (const { program, step } of receivers.splice(0)) {
      await waitUntil(() => program.output.split('\n').length > step.output.length, {
        what: `${step.command} prints ${step.output.at(-1)}`,
        timeoutMs: 30_000,
      });
      await program.stop('SIGINT');
      expect(program.output.replace(receiver, DEFAULT_RECEIVER).trimEnd()).toBe(step.output.join('\n'));
    }
  }

  /** What went on beside the others has ended well, with what it promised. */
  async function expectEnded(): Promise<void> {
    for (const { program, step } of waiting) {
      await waitUntil(() => program.ended, { what: `${step.command} ends` });
      expect(steady(program.output).trimEnd()).toBe(steady(step.output.join('\n')));
      expect(program.exitCode).toBe(0);
    }
  }

  /** An excerpt: `...` stands for lines that are left out. It runs on a server of its own. */
  async function expectExcerpt({ command, output }: Step): Promise<void> {
    const { MADELEINE_SERVER: _, ...own } = environment;
    const printed = steady(await run(command, own));
    let from = 0;
    for (const part of steady(output.join('\n')).split(/^\.\.\.\n/m)) {
      const at = printed.indexOf(part, from);
      expect(at, `${command} prints\n${part}\nafter the parts before it, in\n${printed}`).toBeGreaterThanOrEqual(0);
      from = at + part.length;
    }
  }

  /** The command with the addresses and the directory of this run. */
  function here(command: string): string {
    return command.replace('--socket=data/', `--socket=${dataDir}/`).replace(DEFAULT_RECEIVER, receiver);
  }

  async function perform({ kind, steps }: Block): Promise<void> {
    for (const step of steps) {
      if (kind === 'grpcurl') await expectJson(step);
      else if (kind === 'receiver') await receive(step);
      else if (kind === 'expect') await begin(step);
      else if (kind === 'demo') await expectExcerpt(step);
      else await expectText(step, here(step.command));
    }
  }

  it('begin with README.md, which does what its commands say', async () => {
    const [watched] = block('watch').steps;
    const promised = steady(watched?.output.join('\n') ?? '');
    watch = new Background(watched?.command ?? '', environment);
    // It begins at the head: it has to be there before the first push.
    await waitUntil(async () => (await openReaders(listening.http)) > 0, { what: 'tail reads' });
    for (const one of readmeBlocks.filter(({ kind }) => kind !== 'server' && kind !== 'watch')) await perform(one);
    await waitUntil(() => watch.output.split('\n').length > (watched?.output.length ?? 0), {
      what: 'tail shows all events',
    });
    expect(steady(watch.output).split('\n').slice(0, watched?.output.length).join('\n')).toBe(promised);
    await watch.stop('SIGINT');
    expect(watch.exitCode).toBe(0);
    await expectEnded();
  });

  it.each(FURTHER_PAGES)('go on with %s, which does what its commands say', async (page) => {
    const blocks = consoleBlocks(await read(page));
    expect(blocks).not.toEqual([]);
    for (const one of blocks) await perform(one);
    await expectEnded();
    await expectReceived();
  });

  it('leave nothing behind: SIGTERM stops everything', async () => {
    expect((await processesWith(dataDir)).join('\n')).toContain('mariadbd');
    const startedMs = performance.now();
    await server.stop('SIGTERM');
    await waitUntil(async () => (await processesWith(dataDir)).length === 0, {
      what: 'all processes end',
      timeoutMs: STOP_MS,
    });
    expect(performance.now() - startedMs).toBeLessThan(STOP_MS);
    expect(server.output).not.toMatch(/\n\s+at /);
  });

  it('have the generated parts as the code has them', async () => {
    for (const { page, name, content } of await generatedParts()) {
      expect(partOf(await read(page), name), `${page}: npx tsx test/docs/update-parts.ts`).toBe(content);
    }
  });

  it('are all executed: no other page has commands with their output', async () => {
    const pages = (await readdir(join(ROOT, 'docs'), { recursive: true })).filter((name) => name.endsWith('.md'));
    const texts = await Promise.all(
      pages.map(async (name) => ({ page: `docs/${name}`, text: await read(`docs/${name}`) })),
    );
    const withCommands = texts.filter(({ text }) => consoleBlocks(text).length > 0).map(({ page }) => page);
    expect(withCommands.sort()).toEqual([...FURTHER_PAGES].sort());
  });
});

/** Calls of ReadEvents that are open, by the server's own count: started less handled. */
async function openReaders(http: string): Promise<number> {
  const text = await (await fetch(`http://${http}/metrics`)).text();
  const sum = (name: string) =>
    [...text.matchAll(new RegExp(`^${name}\\{[^}]*ReadEvents[^}]*\\} (\\d+)`, 'gm'))].reduce(
      (n, [, v]) => n + Number(v),
      0,
    );
  return sum('grpc_server_started_total') - sum('grpc_server_handled_total');
}
