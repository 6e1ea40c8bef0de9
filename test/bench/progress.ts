// A line that shows how far what takes long is.

import cliProgress from 'cli-progress';

/** Shown until it is stopped; on a terminal only. */
export function progressBar(total: number, what: string): cliProgress.SingleBar {
  const format = `  {bar} {percentage} %  {value} of {total} ${what}  {eta_formatted} left`;
  const bar = new cliProgress.SingleBar({ format, clearOnComplete: true }, cliProgress.Presets.shades_classic);
  bar.start(total, 0);
  return bar;
}
