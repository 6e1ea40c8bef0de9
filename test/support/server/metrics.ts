// What a server tells of itself over HTTP, for tests that look for what is left behind.

/** The sum of a metric's values; the pattern's first group is the value, a line each. */
export async function metric(httpAddress: string, pattern: RegExp): Promise<number> {
  const text = await (await fetch(`http://${httpAddress}/metrics`)).text();
  const values = text.split('\n').flatMap((line) => pattern.exec(line)?.[1] ?? []);
  return values.reduce((sum, value) => sum + Number(value), 0);
}

/** Calls of the product's services that have begun and not ended. */
export async function openCalls(httpAddress: string): Promise<number> {
  const started = await metric(httpAddress, /^grpc_server_started_total\{.*grpc_service="madeleine.*\} (\d+)$/);
  return started - (await metric(httpAddress, /^grpc_server_handled_total\{.*grpc_service="madeleine.*\} (\d+)$/));
}

/** Consumers that stood still though they could go on. */
export function consumerStalls(httpAddress: string): Promise<number> {
  return metric(httpAddress, /^madeleine_consumer_stalls_total(?:\{.*\})? (\d+)$/);
}
