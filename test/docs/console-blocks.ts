// Reads the fenced `console` blocks of a page: commands after `$ ` with the output that they promise.

export interface Step {
  /** As written, continued lines joined. */
  readonly command: string;
  /** The lines that follow it. */
  readonly output: readonly string[];
}

export interface Block {
  /**
   * The word after `console`: `server`, `watch`, `expect`, `receiver`, `demo`, `grpcurl`, `sql`, or empty for commands that are run as they are.
   */
  readonly kind: string;
  readonly steps: readonly Step[];
}

/** The console blocks, in order. */
export function consoleBlocks(markdown: string): readonly Block[] {
  const fences = markdown.matchAll(/^```console *(\w*)\n([\s\S]*?)^```$/gm);
  return [...fences].map(([, kind = '', body = '']) => ({ kind, steps: stepsOf(body) }));
}

function stepsOf(body: string): Step[] {
  const [before = '', ...parts] = `\n${body.replaceAll(/ \\\n */g, ' ')}`.split('\n$ ');
  if (before.trim() !== '') throw new Error(`a console block has to begin with a command, not "${before.trim()}"`);
  return parts.map((part) => {
    const [command = '', ...output] = part.trimEnd().split('\n');
    return { command, output };
  });
}

/** Text with its variable parts (times, UUIDs) replaced by their kind, so that two runs compare equal. */
export function steady(text: string): string {
  return text
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<uuid>')
    .replaceAll(/\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z/g, '<time>');
}
