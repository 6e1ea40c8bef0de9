// Which part of the log a list is of: positions and times that its filter names, and where a page goes on.

import type { EventCriteria } from '../../domain/events/event-filter.js';
import type { LogSource } from '../../engine/log/log-source.js';
import { isShown, namedPosition } from '../../engine/log/named-position.js';
import type { Position } from '../../units.js';

/** Positions after one, up to and including the other. */
export interface Span {
  readonly after: Position;
  readonly upTo: Position;
}

export type SpanSource = Pick<LogSource, 'clock' | 'visible' | 'storedHead' | 'waitBeyond' | 'positionAt'>;

/** What a filter says of it. */
export interface SpanFilter {
  readonly criteria: EventCriteria;
  readonly newestFirst: boolean;
  readonly afterPosition: bigint;
  readonly beforePosition: bigint | undefined;
  readonly signal: AbortSignal;
}

export class ListSpan {
  readonly #source: SpanSource;
  readonly #filter: SpanFilter;

  constructor(source: SpanSource, filter: SpanFilter) {
    this.#source = source;
    this.#filter = filter;
  }

  /** The positions that the filter asks for. One that it has to be before, above the head, is no bound. */
  async whole(): Promise<Span> {
    const source = this.#source;
    const { beforePosition, signal } = this.#filter;
    const after = await this.#after();
    if (beforePosition === undefined) return { after, upTo: source.visible };
    const last = Math.max(0, Number(beforePosition) - 1);
    return { after, upTo: (await isShown(source, last, signal)) ? last : source.visible };
  }

  /** The positions that the filter asks for, from where a page goes on, within its times: without scanning the rest. */
  async from(place: Position | undefined): Promise<Span> {
    return this.#withinTimes(await this.#fromPlace(place));
  }

  async #fromPlace(from: Position | undefined): Promise<Span> {
    if (from === undefined) return this.whole();
    // First: another instance may have shown more than this one, and the span ends at what is shown.
    const place = await namedPosition(this.#source, { field: 'page_token', position: from }, this.#filter.signal);
    // Going down, it lies before the position that the filter asks to be before: that one need not be waited for again.
    if (this.#filter.newestFirst) return { after: await this.#after(), upTo: place };
    return { ...(await this.whole()), after: place };
  }

  #after(): Promise<Position> {
    const { afterPosition: position, signal } = this.#filter;
    return namedPosition(this.#source, { field: 'filter.after_position', position }, signal);
  }

  async #withinTimes({ after, upTo }: Span): Promise<Span> {
    const { startTime, endTime } = this.#filter.criteria;
    const first = startTime === undefined ? after : Math.max(after, await this.#source.positionAt(startTime));
    const last = endTime === undefined ? upTo : Math.min(upTo, await this.#source.positionAt(endTime));
    return { after: first, upTo: Math.max(first, last) };
  }
}
