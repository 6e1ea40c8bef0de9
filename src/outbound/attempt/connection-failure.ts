// Why there was no connection, or why it broke before an answer, in words that name neither the URL nor what was sent.

import { AttemptFailure } from './attempt-failure.js';

export function connectionFailure(error: NodeJS.ErrnoException): AttemptFailure {
  const { code = '' } = error;
  const known = CONNECTION_FAILURES[code];
  if (known !== undefined) return new AttemptFailure('connection', known, { cause: error });
  if (isTlsCode(code)) return new AttemptFailure('tls', `${code}: ${error.message}`, { cause: error });
  return new AttemptFailure('connection', `the connection failed (${code || error.name})`, { cause: error });
}

const CONNECTION_FAILURES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was closed before an answer',
  EPIPE: 'the connection was closed before an answer',
  ETIMEDOUT: 'no connection within the time',
  EHOSTUNREACH: 'the host is not reachable',
  ENETUNREACH: 'the network is not reachable',
};

/** OpenSSL's verdicts on certificates have no prefix in common. */
function isTlsCode(code: string): boolean {
  return /CERT|TLS|SSL|EPROTO|CRL|SIGNATURE|ISSUER|INVALID_CA|CHAIN/.test(code);
}
