// The figures of all runs, a file each in .bench/, so that a run can be compared with the one before it.

import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Figure, ratioOf } from './row.js';

export type Settings = Readonly<Record<string, string>>;

interface Run {
  readonly settings: Settings;
  readonly figures: readonly (Figure & { readonly ratio: number })[];
}

export class History {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The newest ratio of each figure that was measured on this machine. */
  async newest(machine: string): Promise<ReadonlyMap<string, number>> {
    const ratios = new Map<string, number>();
    for (const name of await this.#names()) {
      const { settings, figures } = JSON.parse(await readFile(join(this.#directory, name), 'utf8')) as Run;
      if (settings['machine'] !== machine) continue;
      for (const { figure, ratio } of figures) ratios.set(figure, ratio);
    }
    return ratios;
  }

  async add(settings: Settings, figures: readonly Figure[], at: Date): Promise<void> {
    const run: Run = { settings, figures: figures.map((figure) => ({ ...figure, ratio: ratioOf(figure) })) };
    const name = `${at.toISOString().slice(0, 19).replaceAll(':', '-')}Z.json`;
    await mkdir(this.#directory, { recursive: true });
    await writeFile(join(this.#directory, name), `${JSON.stringify(run, null, 2)}\n`);
  }

  /** Files of runs, the oldest first: their names are times. */
  async #names(): Promise<string[]> {
    const names = await readdir(this.#directory).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    return names.filter((name) => /^\d{4}-.*\.json$/.test(name)).sort();
  }
}
