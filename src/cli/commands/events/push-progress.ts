// The progress bar of a bulk push, on stderr when that is a terminal; silent otherwise.

import { fstatSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import cliProgress from 'cli-progress';

/** Counts pushed events; shows bytes done of all when stdin is a file, else only the events. */
export class PushProgress {
  readonly #bar: cliProgress.SingleBar | undefined;
  readonly #knowsTotal: boolean;
  readonly #stderr: Writable;
  readonly #startedMs = performance.now();
  #events = 0;
  #bytes = 0;

  constructor(options: { readonly stdin: Readable; readonly stderr: Writable }) {
    const total = fileSize(options.stdin);
    this.#stderr = options.stderr;
    this.#knowsTotal = total !== undefined;
    if ((options.stderr as Partial<NodeJS.WriteStream>).isTTY !== true) return;
    const format = total === undefined ? '{events} events  {rate}/s' : '{bar} {percentage}%  {events} events  {rate}/s';
    this.#bar = new cliProgress.SingleBar(
      { format, stream: options.stderr as NodeJS.WriteStream, clearOnComplete: true, hideCursor: true },
      cliProgress.Presets.shades_classic,
    );
    this.#bar.start(total ?? 1, 0, { events: 0, rate: 0 });
  }

  advance(events: number, bytes: number): void {
    this.#events += events;
    this.#bytes += bytes;
    const rate = Math.round(this.#events / Math.max(0.001, (performance.now() - this.#startedMs) / 1000));
    this.#bar?.update(this.#knowsTotal ? this.#bytes : 0, { events: this.#events, rate });
  }

  /** Prints something else on stderr without tearing the bar. */
  interject(print: () => void): void {
    if (this.#bar !== undefined) this.#stderr.write('\r\x1b[K');
    print();
  }

  stop(): void {
    this.#bar?.stop();
  }
}

/** Size of the file that stdin is; undefined for a pipe. */
function fileSize(stdin: Readable): number | undefined {
  const { fd } = stdin as { readonly fd?: number };
  if (fd === undefined) return undefined;
  const stat = fstatSync(fd);
  return stat.isFile() && stat.size > 0 ? stat.size : undefined;
}
