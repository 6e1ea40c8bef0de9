// The one place that knows the driver's error numbers. Above it there are only MadeleineError and GroupFailure.

import { MadeleineError, storageUnavailable } from '../../../domain/errors.js';

interface DriverError {
  readonly errno?: number;
  readonly code?: string;
}

const DUPLICATE_KEY = 1062;
/** Deadlock, lock wait, record changed, NOWAIT: the transaction may simply be repeated. */
const RETRYABLE = new Set([1213, 1205, 1020, 3572]);
/** Refused values: too long, out of range, bad encoding, packet too large, too many placeholders. */
const DATA = new Set([1264, 1265, 1292, 1366, 1406, 1153, 1390, 3988]);
/** The server is there but refuses to work: connections, read-only, shutting down, disk. */
const REFUSING = new Set([
  1040, 1041, 1053, 1077, 1129, 1203, 1226, 1290, 1792, 1836, 1927, 1021, 1026, 1114, 1030, 1028, 3, 28, 1969, 1317,
]);
/** Statements too long for the connection are closed by the server without an answer that names them. */
const CONNECTION = /^(PROTOCOL_|ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EHOSTUNREACH|ENETUNREACH|ENOENT|EAI_|HANDSHAKE_)/;

/** What a failure means for whoever ran the statement. */
export type SqlFailure = 'duplicate' | 'retry' | 'data' | 'unavailable' | 'other';

export function classifySqlError(error: unknown): SqlFailure {
  const { errno, code } = (error ?? {}) as DriverError;
  if (errno === DUPLICATE_KEY) return 'duplicate';
  if (errno !== undefined && RETRYABLE.has(errno)) return 'retry';
  if (errno !== undefined && DATA.has(errno)) return 'data';
  if (errno !== undefined && REFUSING.has(errno)) return 'unavailable';
  if (isConnectionError(error) || (code !== undefined && CONNECTION.test(code))) return 'unavailable';
  return 'other';
}

/** The connection that gave this error must not be used again. */
export function isConnectionError(error: unknown): boolean {
  const { code, fatal, name, message } = (error ?? {}) as DriverError & {
    fatal?: boolean;
    name?: string;
    message?: string;
  };
  return (
    fatal === true ||
    name === 'KnexTimeoutError' ||
    (code !== undefined && CONNECTION.test(code)) ||
    /closed state|Connection lost|Unable to acquire a connection/.test(message ?? '')
  );
}

export function isDuplicateKey(error: unknown): boolean {
  return classifySqlError(error) === 'duplicate';
}

/** What goes up for a failed read or write: STORAGE_UNAVAILABLE where the database is the reason, else the error itself. */
export function translateSqlError(error: unknown): unknown {
  if (error instanceof MadeleineError) return error;
  const failure = classifySqlError(error);
  return failure === 'unavailable' || failure === 'retry' ? storageUnavailable(error) : error;
}
