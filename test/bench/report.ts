// Figures as ratios to their limits: tables in Markdown, for the terminal and for docs/performance.md.

import type { Settings } from './history.js';
import { type Figure, isReached, ratioOf } from './row.js';

const HEAD = ['figure', 'value', 'limit', 'its value', 'ratio', 'must', 'aim'];

/** One line on a figure as soon as it is known. */
export function figureLine(figure: Figure): string {
  const verdict = { true: ' (reached)', false: ' (MISSED)', undefined: '' }[String(isReached(figure))];
  return `  ${figure.figure}: ${amount(figure.value)} ${figure.unit}, ratio ${ratio(figure)}${verdict}`;
}

/** The settings, the table with the ratios of the run before, and the notes. */
export function reportText(
  settings: Settings,
  figures: readonly Figure[],
  before: ReadonlyMap<string, number>,
): string {
  const table = tableText(
    [...HEAD, 'before'],
    figures.map((figure) => [...cellsOf(figure), before.get(figure.figure)?.toFixed(2) ?? '']),
  );
  return [settingsText(settings), '', table, notesOf(figures).join('\n'), ''].join('\n');
}

/** The part of docs/performance.md: the table, how it was made, the notes. */
export function publishedText(
  settings: Settings,
  figures: readonly Figure[],
  made: { readonly at: Date; readonly command: string },
): string {
  const intro = `Made by \`${made.command}\` on ${made.at.toISOString().slice(0, 10)}; ${settingsText(settings).replaceAll('\n', '; ')}.`;
  const notes = notesOf(figures).map((note) => `- ${note}`);
  return [tableText(HEAD, figures.map(cellsOf)), intro, '', ...notes, ''].join('\n');
}

function settingsText(settings: Settings): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}: ${value}`)
    .join('\n');
}

function notesOf(figures: readonly Figure[]): string[] {
  return figures.flatMap(({ figure, note }) => (note === undefined ? [] : [`${figure}: ${note}`]));
}

function tableText(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => '---'), ...rows];
  return `${lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}\n`;
}

function cellsOf(figure: Figure): string[] {
  const { bounds, limit, unit } = figure;
  const sign = bounds?.atMost === true ? '≤' : '≥';
  const bound = (value: number | undefined) => (value === undefined ? '–' : `${sign} ${Number(value.toFixed(2))}`);
  return [
    figure.figure,
    `${amount(figure.value)} ${unit}`,
    limit,
    `${amount(figure.limitValue)} ${unit}`,
    ratio(figure),
    bound(bounds?.must),
    bound(bounds?.aim),
  ];
}

function ratio(figure: Figure): string {
  return ratioOf(figure).toFixed(2);
}

function amount(value: number): string {
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString('en-US') : String(Number(value.toPrecision(3)));
}
