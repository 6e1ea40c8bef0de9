// URLs of servers in settings: taken apart and decoded once, as a whole, so that no part is found to be wrong later.

/** Why a text is no URL of a server: a part of a sentence that follows the setting's name, without any value. */
export class UrlProblem extends Error {
  override readonly name = 'UrlProblem';
}

/** The parts of a URL, decoded. */
export interface ServerUrl {
  /** The scheme without its colon. */
  readonly scheme: string;
  /** A name, or an address without brackets. */
  readonly host: string;
  /** Undefined: the protocol's own. */
  readonly port: number | undefined;
  readonly user: string;
  readonly password: string;
  /** The path without its first slash. */
  readonly path: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** What a URL of one kind of server looks like. */
export interface UrlForm {
  readonly schemes: readonly string[];
  /** Names of the parameters that it may have. */
  readonly parameters: readonly string[];
  /** How to write it. */
  readonly example: string;
}

const ENCODING = 'write % as %25, @ as %40, : as %3A, / as %2F, ? as %3F and # as %23 there';

/** Takes a URL apart. Throws UrlProblem; what it says repeats no part that may be secret. */
export function parseServerUrl(given: string, { schemes, parameters, example }: UrlForm): ServerUrl {
  const text = given.trim();
  // The parser leaves some of them out without a word.
  if (/\p{Cc}/u.test(text)) throw new UrlProblem(`holds a control character; write it as ${example}`);
  if (!URL.canParse(text))
    throw new UrlProblem(`is not a URL; write it as ${example}, and in user and password ${ENCODING}`);
  const url = new URL(text);
  const scheme = url.protocol.slice(0, -1);
  if (!schemes.includes(scheme))
    throw new UrlProblem(`has to begin with ${schemes.map((one) => `${one}://`).join(' or ')}; write it as ${example}`);
  if (url.hash !== '') throw new UrlProblem(`has a part after #; in user, password and path ${ENCODING}`);
  return {
    scheme,
    host: parseHost(url.hostname, example),
    port: parsePort(url.port),
    user: decode(url.username, 'user'),
    password: decode(url.password, 'password'),
    path: decode(url.pathname.slice(1), 'path'),
    parameters: parseParameters(url.search, parameters),
  };
}

function parseHost(text: string, example: string): string {
  const host = decode(text, 'host').replace(/^\[(.*)\]$/, '$1');
  if (host === '') throw new UrlProblem(`names no host; write it as ${example}`);
  if (/[\s,/@]/.test(host)) throw new UrlProblem(`has to name one host; write it as ${example}`);
  return host;
}

function parsePort(text: string): number | undefined {
  if (text === '') return undefined;
  if (Number(text) === 0) throw new UrlProblem('has a port that is not from 1 to 65535');
  return Number(text);
}

/** A plus sign stands for itself, as in a path. */
function parseParameters(search: string, known: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const pair of search.slice(1).split('&')) {
    if (pair === '') continue;
    const [name = '', ...rest] = pair.split('=');
    const parameter = decode(name, 'name of a parameter');
    if (!known.includes(parameter)) throw new UrlProblem(unknownParameter(parameter, known));
    if (found.has(parameter)) throw new UrlProblem(`has the parameter ${parameter} twice`);
    found.set(parameter, decode(rest.join('='), `parameter ${parameter}`));
  }
  return found;
}

/** What is no plain word may be a piece of a password with a ? in it. */
function unknownParameter(name: string, known: readonly string[]): string {
  const what = /^[\w.-]{1,40}$/.test(name) ? `the parameter ${name}, which` : 'a parameter that';
  return `has ${what} is none of ${known.join(', ')} (a ? in user or password is written as %3F)`;
}

function decode(text: string, part: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(text);
  } catch {
    throw new UrlProblem(`has a ${part} that is not percent-encoded: ${ENCODING}`);
  }
  if (/\p{Cc}/u.test(decoded)) throw new UrlProblem(`has a control character in its ${part}`);
  return decoded;
}

/** A parameter that is a whole number within its bounds. Throws UrlProblem; undefined when it is left out. */
export function numberParameter({ parameters }: ServerUrl, name: string, [min, max]: readonly [number, number]) {
  const text = parameters.get(name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^\d{1,10}$/.test(text) || value < min || value > max)
    throw new UrlProblem(`has a ${name} that is not a whole number from ${min} to ${max}`);
  return value;
}

/** What is wrong with a text according to a parser; undefined when nothing is. */
export function problemOf(parse: () => unknown): string | undefined {
  try {
    parse();
    return undefined;
  } catch (error) {
    if (error instanceof UrlProblem) return error.message;
    throw error;
  }
}
