// Time by the database's clock.

/** The database's time in microseconds, as it was when the statement began. */
export const NOW_MICROS = 'CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS UNSIGNED)';
/** Nothing is due. */
export const NEVER = Number.MAX_SAFE_INTEGER;
