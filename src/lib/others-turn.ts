// A turn of the event loop for others, in the middle of work that could go on and on.

export function othersTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
