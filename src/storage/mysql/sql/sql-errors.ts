// The one place that knows the driver's error numbers. Above it there are only MadeleineError and GroupFailure.

import { MadeleineError, storageUnavailable } from '../../../domain/errors.js';
import { UrlProblem } from '../../../settings/server-url.js';

interface DriverError {
  readonly errno?: number;
  readonly code?: string;
}

const DUPLICATE_KEY = 1062;
/**
 * The transaction may simply be repeated: deadlock (1213), lock wait (1205), record changed (1020), NOWAIT (3572), prepared anew (1615),
 * a conflict found at COMMIT (3101 of Group Replication; 8022, 8028, 9007 of TiDB).
 */
const RETRYABLE = new Set([1213, 1205, 1020, 3572, 1615, 3101, 8022, 8028, 9007]);
/** Refused values: too long, out of range, bad encoding, packet too large, too many placeholders. */
const DATA = new Set([1264, 1265, 1292, 1366, 1406, 1153, 1390, 3988]);
/** The server is there but refuses to work just now: too many of something, no space or memory, killed or too slow statements. */
const REFUSING = new Set([
  ...[1040, 1041, 1129, 1203, 1226, 1461, 1637],
  ...[3, 28, 1021, 1026, 1028, 1030, 1037, 1038, 1114, 1197, 3168],
  ...[1317, 1969, 3024],
  // TiDB's storage is away, busy or slow.
  ...[9001, 9002, 9003, 9004, 9005],
]);
/** The server ended the session: silent for too long (4031 of MySQL), killed (3169 of MySQL, 1927 of MariaDB). */
const SESSION_ENDED = new Set([1927, 3169, 4031]);
/**
 * Another server may be the one to talk to, or the same one after a restart; this connection is not: the server is read-only (1290,
 * 1792, 1836, 1874, 3100: a group without a majority) or locked (1223), offline (3032), not ready (1047 of Galera), about to end (1053,
 * 1077 to 1080), has ended the session or the connection (1152, 1158 to 1161, 1184), as after a freeze, or does not know us (1044,
 * 1045, 1049, 1130, 1820, 1862, 3118, 3159).
 */
const WRONG_SERVER = new Set([
  ...[1290, 1792, 1836, 1874, 3100, 1223, 3032, 1047],
  ...[1053, 1077, 1078, 1079, 1080],
  ...SESSION_ENDED,
  ...[1152, 1158, 1159, 1160, 1161, 1184],
  ...[1044, 1045, 1049, 1130, 1820, 1862, 3118, 3159],
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
  if (errno !== undefined && (REFUSING.has(errno) || WRONG_SERVER.has(errno))) return 'unavailable';
  // A file of certificates that was there at the start and is gone, or half written, when a connection is made anew.
  if (error instanceof UrlProblem) return 'unavailable';
  if (isConnectionError(error) || (code !== undefined && CONNECTION.test(code))) return 'unavailable';
  return 'other';
}

/** The connection that gave this error must not be used again. */
export function isConnectionError(error: unknown): boolean {
  const { errno, code, fatal, name, message } = (error ?? {}) as DriverError & {
    fatal?: boolean;
    name?: string;
    message?: string;
  };
  return (
    fatal === true ||
    (errno !== undefined && SESSION_ENDED.has(errno)) ||
    name === 'KnexTimeoutError' ||
    (code !== undefined && CONNECTION.test(code)) ||
    /closed state|Connection lost|Unable to acquire a connection/.test(message ?? '')
  );
}

/** Neither this connection nor any other one to the same server is of use any more; one that is made anew may be. */
export function isWrongServer(error: unknown): boolean {
  const { errno } = (error ?? {}) as DriverError;
  return errno !== undefined && WRONG_SERVER.has(errno);
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
