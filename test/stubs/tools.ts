// What the tests of stubs find on this machine (scripts/setup-stubs.sh gets it), and how it is run.

import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const OWN = `${ROOT}.stubs/bin`;
/** Those in the package's own folder; another Python does not see the packages of Debian. */
const PYTHON = '/usr/bin/python3';
const JARS = '/usr/share/java';

/** Where a program is; undefined if there is none. */
export function find(program: string): string | undefined {
  if (existsSync(`${OWN}/${program}`)) return `${OWN}/${program}`;
  const path = (process.env.PATH ?? '')
    .split(':')
    .find((folder) => folder !== '' && existsSync(`${folder}/${program}`));
  return path === undefined ? undefined : `${path}/${program}`;
}

/** Runs a program to its end; rejects with what it printed when it fails. */
export async function run(
  program: string,
  argv: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  const { stdout } = await promisify(execFile)(program, argv, { ...options, maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}

/** The Python that has gRPC. */
export function pythonWithGrpc(): string | undefined {
  try {
    execFileSync(PYTHON, ['-c', 'import grpc, google.protobuf']);
    return PYTHON;
  } catch {
    return undefined;
  }
}

/** Of Debian's packages: what generated code is compiled with, and what a server in it needs besides. */
const JAVA_LIBRARIES =
  /^(protobuf|grpc-[a-z-]+|netty-[a-z0-9-]+|guava|failureaccess|gson|perfmark-[a-z-]+|geronimo-annotation-1\.3-spec)\.jar$/;

/** The class path of generated Java code; undefined if there is no compiler, or a library is missing. */
export function javaClassPath(): string | undefined {
  if (find('javac') === undefined || !existsSync(JARS)) return undefined;
  const jars = readdirSync(JARS).filter((name) => JAVA_LIBRARIES.test(name));
  const isWhole = ['protobuf.jar', 'grpc-netty.jar', 'netty-all.jar', 'perfmark-api.jar'].every((name) =>
    jars.includes(name),
  );
  return isWhole ? jars.map((name) => join(JARS, name)).join(':') : undefined;
}

export interface Language {
  /** The block of docs/clients.md that makes its code. */
  readonly block: string;
  /** Programs without which it makes none. */
  readonly plugins: readonly string[];
}

export const LANGUAGES = {
  go: { block: 'go', plugins: ['protoc', 'protoc-gen-go', 'protoc-gen-go-grpc'] },
  java: { block: 'java', plugins: ['protoc', 'grpc_java_plugin'] },
  python: { block: 'python', plugins: ['protoc', 'grpc_python_plugin'] },
  csharp: { block: 'csharp', plugins: ['protoc'] },
  cpp: { block: 'cpp', plugins: ['protoc', 'grpc_cpp_plugin'] },
} as const satisfies Record<string, Language>;

/** The programs that are missing to make code of the language. */
export function missing({ plugins }: Language): readonly string[] {
  return plugins.filter((program) => find(program) === undefined);
}

/** Makes the code of the language as docs/clients.md says, in a new folder below this one; returns it. */
export async function generate({ block }: Language, directory: string): Promise<string> {
  const page = await readFile(`${ROOT}docs/clients.md`, 'utf8');
  const [, command] = new RegExp(`\`\`\`sh ${block}\\n([\\s\\S]*?)\`\`\``).exec(page) ?? [];
  if (command === undefined) throw new Error(`docs/clients.md has no commands for ${block}`);
  const folder = join(directory, block);
  await mkdir(join(folder, 'gen'), { recursive: true });
  await symlink(join(ROOT, 'proto'), join(folder, 'proto'));
  await run('bash', ['-euc', command], { cwd: folder, env: { ...process.env, PATH: `${OWN}:${process.env.PATH}` } });
  return join(folder, 'gen');
}
