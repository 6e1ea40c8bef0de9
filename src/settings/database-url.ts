// MADELEINE_DATABASE_URL: mysql://user:password@host:port/database, and how the way there is protected, in MySQL's own words.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseServerUrl, problemOf, type ServerUrl, type UrlForm, UrlProblem } from './server-url.js';

/** REQUIRED encrypts, VERIFY_CA also looks at who signed the certificate, VERIFY_IDENTITY at whose it is as well. */
export type TlsMode = 'REQUIRED' | 'VERIFY_CA' | 'VERIFY_IDENTITY';

export interface DatabaseTls {
  readonly mode: TlsMode;
  /** Authorities to trust, in PEM; undefined: those that Node trusts. */
  readonly ca: string | undefined;
  /** The client's own, in PEM. */
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

export interface DatabaseTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** Undefined: nothing is encrypted. */
  readonly tls: DatabaseTls | undefined;
}

const FORM: UrlForm = {
  schemes: ['mysql', 'mariadb'],
  parameters: ['ssl-mode', 'ssl-ca', 'ssl-cert', 'ssl-key'],
  example: 'mysql://user:password@host:port/database',
};

const MODES: readonly string[] = ['REQUIRED', 'VERIFY_CA', 'VERIFY_IDENTITY'] satisfies TlsMode[];

/** Reads the URL, and the files that it names. Throws UrlProblem. */
export function parseDatabaseUrl(text: string): DatabaseTarget {
  const url = parseServerUrl(text, FORM);
  const { host, port = 3306, user, password, path } = url;
  if (path === '') throw new UrlProblem(`names no database after the host; write it as ${FORM.example}`);
  if (/[/\\.]|\s$/.test(path) || path.length > 64) throw new UrlProblem('names a database that cannot be one');
  return { host, port, user, password, database: path, tls: parseTls(url) };
}

/** What is wrong with the URL; undefined when nothing is. */
export function databaseUrlProblem(text: string): string | undefined {
  return problemOf(() => parseDatabaseUrl(text));
}

function parseTls({ parameters }: ServerUrl): DatabaseTls | undefined {
  const files = ['ssl-ca', 'ssl-cert', 'ssl-key'].filter((name) => parameters.has(name));
  // As MySQL's own clients do: who names an authority wants it to be looked at.
  const implied = parameters.has('ssl-ca') ? 'VERIFY_CA' : files.length > 0 ? 'REQUIRED' : 'DISABLED';
  const mode = (parameters.get('ssl-mode') ?? implied).toUpperCase();
  if (mode === 'DISABLED') {
    if (files.length > 0) throw new UrlProblem(`has ${files[0]} beside ssl-mode=DISABLED, which uses none`);
    return undefined;
  }
  if (!isTlsMode(mode))
    throw new UrlProblem(
      mode === 'PREFERRED'
        ? 'has ssl-mode=PREFERRED, which whoever is on the way can turn off: write REQUIRED, VERIFY_CA, VERIFY_IDENTITY or DISABLED'
        : 'has an ssl-mode that is not DISABLED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY',
    );
  if (mode === 'REQUIRED' && parameters.has('ssl-ca'))
    throw new UrlProblem(
      'has ssl-ca beside ssl-mode=REQUIRED, which looks at no authority: write VERIFY_CA or VERIFY_IDENTITY',
    );
  if (parameters.has('ssl-cert') !== parameters.has('ssl-key'))
    throw new UrlProblem('has to give ssl-cert and ssl-key together, the certificate and its key');
  return {
    mode,
    ca: readCertificates('ssl-ca', parameters),
    cert: readCertificates('ssl-cert', parameters),
    key: readKey('ssl-key', parameters),
  };
}

function isTlsMode(word: string): word is TlsMode {
  return MODES.includes(word);
}

function readCertificates(name: string, parameters: ReadonlyMap<string, string>): string | undefined {
  return readPem(name, parameters, 'certificate', (pem) => new X509Certificate(pem));
}

function readKey(name: string, parameters: ReadonlyMap<string, string>): string | undefined {
  return readPem(name, parameters, 'private key without a passphrase', (pem) => createPrivateKey(pem));
}

function readPem(
  name: string,
  parameters: ReadonlyMap<string, string>,
  what: string,
  check: (pem: string) => unknown,
): string | undefined {
  const path = parameters.get(name);
  if (path === undefined) return undefined;
  let pem: string;
  try {
    pem = readFileSync(path, 'utf8');
  } catch (error) {
    throw new UrlProblem(
      `names a file for ${name} that cannot be read, ${path} (${(error as NodeJS.ErrnoException).code})`,
    );
  }
  try {
    check(pem);
  } catch {
    throw new UrlProblem(`names a file for ${name} that holds no ${what} in PEM, ${path}`);
  }
  return pem;
}
