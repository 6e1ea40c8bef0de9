// Certificates for tests: an authority of a day, and servers' certificates by it. Made by openssl, which every system with a
// package manager has.

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const EC_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'];

export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

export class TestAuthority {
  #directory = '';
  /** The authority's certificate in PEM. */
  ca = '';

  async start(): Promise<void> {
    this.#directory = await mkdtemp(join(tmpdir(), 'madeleine-ca-'));
    const out = ['-keyout', this.#file('ca.key'), '-out', this.#file('ca.crt')];
    await run('openssl', ['req', '-x509', ...EC_KEY, ...out, '-subj', '/CN=test authority']);
    this.ca = await readFile(this.#file('ca.crt'), 'utf8');
  }

  /** A certificate for names and addresses: `DNS:hooks.test`, `IP:127.0.0.1`. */
  async issue(...names: readonly string[]): Promise<Certificate> {
    const name = names.join('-').replaceAll(/[^\w]/g, '_');
    const key = this.#file(`${name}.key`);
    const request = this.#file(`${name}.csr`);
    const extensions = this.#file(`${name}.ext`);
    await run('openssl', ['req', ...EC_KEY.slice(0, -2), '-keyout', key, '-out', request, '-subj', '/CN=server']);
    await writeFile(extensions, `subjectAltName=${names.join(',')}\n`);
    const authority = ['-CA', this.#file('ca.crt'), '-CAkey', this.#file('ca.key'), '-CAcreateserial'];
    const sign = ['x509', '-req', '-in', request, ...authority, '-days', '1', '-extfile', extensions];
    const { stdout: cert } = await run('openssl', sign);
    return { key: await readFile(key, 'utf8'), cert };
  }

  async stop(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }

  #file(name: string): string {
    return join(this.#directory, name);
  }
}
