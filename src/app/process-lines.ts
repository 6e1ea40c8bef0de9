// What libraries and the runtime would print by themselves: told in the log, so that whoever collects that has all of it, and a line
// that is no JSON is not among its lines.

import type { Logger } from '../telemetry.js';

const printer = globalThis.console;
const METHODS = ['log', 'info', 'debug', 'warn', 'error'] as const;
/** A library may print whatever it was given: a beginning will do. */
const MAX_CHARACTERS = 300;

/** Takes the console and the runtime's warnings of this process. */
export class ProcessLines {
  readonly #logger: Logger;
  readonly #printed = METHODS.map((method) => [method, printer[method]] as const);
  readonly #warned = process.listeners('warning');
  readonly #onWarning = ({ name, message }: Error) =>
    this.#logger.warn({ name, warning: plain(message) }, 'the runtime warns');

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  take(): void {
    for (const method of METHODS) {
      printer[method] = (...parts: readonly unknown[]) =>
        this.#logger.warn({ line: plain(parts.map(textOf).join(' ')) }, 'a library says');
    }
    process.removeAllListeners('warning');
    process.on('warning', this.#onWarning);
  }

  /** Has them printed again. */
  release(): void {
    for (const [method, printed] of this.#printed) printer[method] = printed;
    process.off('warning', this.#onWarning);
    for (const listener of this.#warned) process.on('warning', listener);
  }
}

/** Objects may hold anything: of those that are no errors the kind is told. */
function textOf(part: unknown): string {
  if (part instanceof Error) return `${part.name}: ${part.message}`;
  return typeof part === 'object' && part !== null ? Object.prototype.toString.call(part) : String(part);
}

function plain(line: string): string {
  return line.slice(0, MAX_CHARACTERS).replace(/[^ -~]/g, '?');
}
