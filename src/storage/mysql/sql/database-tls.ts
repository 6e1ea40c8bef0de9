// What the driver is told of TLS, by the words of the settings.

import { connect, isIP, type Socket } from 'node:net';
import type { ConnectionOptions } from 'mysql2';
import type { DatabaseTarget } from '../../../settings/database-url.js';

/** The driver's options for a target; none where it is not to encrypt. */
export function tlsOptions(target: DatabaseTarget): ConnectionOptions {
  const { tls, host } = target;
  if (tls === undefined) return {};
  const { mode, ca, cert, key } = tls;
  const verifyIdentity = mode === 'VERIFY_IDENTITY';
  const files = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
  return {
    ssl: { ...files, rejectUnauthorized: mode !== 'REQUIRED', verifyIdentity },
    // An address is told to no server, and Node would compare the certificate with `localhost` in its place.
    ...(verifyIdentity && isIP(host) !== 0 ? { stream: () => addressSocket(target) } : {}),
  };
}

/** A socket that tells TLS whose certificate to expect, as one that was connected by name does. */
function addressSocket({ host, port }: DatabaseTarget): Socket {
  const socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 10_000 });
  return Object.assign(socket, { _host: host });
}
