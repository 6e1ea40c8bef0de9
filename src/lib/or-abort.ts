// Waiting for something for no longer than somebody cares.

/** The promise's value, or the signal's reason if that comes first; what becomes of the promise then is nobody's concern. */
export async function orAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, stop } = abortion(signal);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    stop();
  }
}

function abortion(signal: AbortSignal): { promise: Promise<never>; stop: () => void } {
  let stop = () => {};
  const promise = new Promise<never>((_, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    stop = () => signal.removeEventListener('abort', onAbort);
  });
  return { promise, stop };
}
