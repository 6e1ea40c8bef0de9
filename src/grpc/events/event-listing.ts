// ListEvents: pages of the log, and of what is awaited where that is asked for. What is awaited has not happened: it comes last, or
// first where the newest come first.

import type { ListEventsRequest } from '../../../generated/madeleine/v1/event_service.js';
import { EntryKind } from '../../domain/events/event.js';
import type { EventCriteria } from '../../domain/events/event-filter.js';
import type { EventQueries } from '../../engine/log/event-queries.js';
import type { LogSource } from '../../engine/log/log-source.js';
import { isShown, namedPosition } from '../../engine/log/named-position.js';
import type { Position } from '../../units.js';
import { decodePageToken, encodePageToken, type PageTokenScope } from '../wire/page-token.js';
import type { PayloadForm } from '../wire/payload-form.js';
import { payloadForm, sizeField } from '../wire/wire.js';
import type { EventFrames } from './event-frames.js';
import { listCriteria } from './event-wire.js';

export interface EventListingOptions {
  readonly queries: EventQueries;
  readonly source: LogSource;
  readonly frames: EventFrames;
}

/** Parts of a listing, as its tokens name them. */
const LOG_PART = 'log';
const AWAITED_PART = 'awaited';

interface Listing {
  readonly criteria: EventCriteria;
  readonly bounds: { after: Position; upTo: Position };
  readonly limit: number;
  readonly newestFirst: boolean;
  readonly form: PayloadForm;
  /** Entries are asked for. */
  readonly showsLog: boolean;
  readonly tokenOf: (part: string, after: number) => string;
}

export class EventListing {
  readonly #options: EventListingOptions;

  constructor(options: EventListingOptions) {
    this.#options = options;
  }

  /** The encoded ListEventsResponse. */
  async list(request: ListEventsRequest, signal: AbortSignal): Promise<Uint8Array> {
    const { source } = this.#options;
    const form = payloadForm('payload_encoding', request.payloadEncoding);
    const criteria = listCriteria(request.filter, 'filter.');
    const limit = sizeField('page_size', request.pageSize, { default: 100, max: 1_000 });
    const { newestFirst } = request;
    const { afterPosition = 0n, beforePosition } = request.filter ?? {};
    const scope = {
      request: ['ListEvents', criteria, newestFirst, Number(afterPosition), String(beforePosition)],
      epoch: source.epoch,
    };
    const showsAwaited = criteria.kinds?.includes(EntryKind.AWAITED) === true;
    const cursor = listCursor(request.pageToken, scope, showsAwaited);
    const tokenOf = (part: string, after: number) => encodePageToken(showsAwaited ? [part, after] : [after], scope);
    const { kinds } = criteria;
    const showsLog = kinds === undefined || kinds.some((kind) => kind !== EntryKind.AWAITED);
    const begins = showsAwaited && (newestFirst || !showsLog) ? AWAITED_PART : LOG_PART;
    const part = cursor?.part ?? begins;
    const goesOn = part === LOG_PART && cursor !== undefined;
    const place = { field: 'page_token', position: goesOn ? cursor.after : 0 };
    const from = await namedPosition(source, place, signal);
    const asked = await this.#asked(afterPosition, beforePosition, signal);
    if (goesOn) asked[newestFirst ? 'upTo' : 'after'] = from;
    const bounds = await this.#withinTimes(criteria, asked);
    const listing: Listing = { criteria, bounds, limit, newestFirst, form, showsLog, tokenOf };
    if (part === AWAITED_PART) return this.#listAwaited(listing, cursor?.after);
    return this.#listLog(listing, showsAwaited && !newestFirst);
  }

  /** A page of entries; `goesOn`: what is awaited comes after them. */
  async #listLog(
    { criteria, bounds, limit, newestFirst, form, tokenOf }: Listing,
    goesOn: boolean,
  ): Promise<Uint8Array> {
    const { queries, frames } = this.#options;
    const page = await queries.list(criteria, { ...bounds, limit, newestFirst });
    const [entries = [], rest] = frames.parts(page.entries, form);
    // What does not fit into the answer is for the next page.
    const last = rest === undefined ? undefined : entries.at(-1)?.position;
    const scannedTo = last === undefined ? page.scannedTo : newestFirst ? last - 1 : last;
    const done = newestFirst ? scannedTo <= bounds.after : scannedTo >= bounds.upTo;
    if (done) return frames.events(entries, form, goesOn ? tokenOf(AWAITED_PART, 0) : '');
    return frames.events(entries, form, tokenOf(LOG_PART, scannedTo));
  }

  /** A page of what is awaited, after an event id; newest first the log comes after it. */
  async #listAwaited(
    { criteria, bounds, limit, newestFirst, form, showsLog, tokenOf }: Listing,
    after: number | undefined,
  ): Promise<Uint8Array> {
    const { queries, frames } = this.#options;
    const page = await queries.awaited(criteria, { after: after === 0 ? undefined : after, limit, newestFirst });
    const [entries = [], rest] = frames.parts(page.entries, form);
    const next = rest === undefined ? page.next : entries.at(-1)?.eventId;
    if (next !== undefined) return frames.events(entries, form, tokenOf(AWAITED_PART, next));
    return frames.events(entries, form, newestFirst && showsLog ? tokenOf(LOG_PART, bounds.upTo) : '');
  }

  /** The positions in (after, upTo] that the filter asks for. One that it has to be before, above the head, is no bound. */
  async #asked(
    position: bigint,
    before: bigint | undefined,
    signal: AbortSignal,
  ): Promise<{ after: Position; upTo: Position }> {
    const { source } = this.#options;
    const after = await namedPosition(source, { field: 'filter.after_position', position }, signal);
    if (before === undefined) return { after, upTo: source.visible };
    const last = Math.max(0, Number(before) - 1);
    return { after, upTo: (await isShown(source, last, signal)) ? last : source.visible };
  }

  /** The part of the positions in (after, upTo] that lies within the times, without scanning the others. */
  async #withinTimes(
    { startTime, endTime }: EventCriteria,
    { after, upTo }: { after: Position; upTo: Position },
  ): Promise<{ after: Position; upTo: Position }> {
    const { source } = this.#options;
    const first = startTime === undefined ? after : Math.max(after, await source.positionAt(startTime));
    const last = endTime === undefined ? upTo : Math.min(upTo, await source.positionAt(endTime));
    return { after: first, upTo: Math.max(first, last) };
  }
}

/** Where a page goes on. Listings of the log alone have one part, and a token without its name. */
function listCursor(token: string, scope: PageTokenScope, showsAwaited: boolean) {
  const members = decodePageToken(token, scope, showsAwaited ? ['text', 'position'] : ['position']);
  if (members === undefined) return undefined;
  const [part, after] = (showsAwaited ? members : [LOG_PART, ...members]) as [string, number];
  return { part, after };
}
