// SearchEvents: pages of what has a text. Those that have it as their id come first, then the log from the newest entry down.

import type { SearchEventsRequest } from '../../../generated/madeleine/v1/admin_service.js';
import type { EventFilter } from '../../../generated/madeleine/v1/event.js';
import { fieldInvalid } from '../../domain/errors.js';
import { entryBytes } from '../../domain/events/entry-size.js';
import type { EventCriteria } from '../../domain/events/event-filter.js';
import { SearchText } from '../../domain/events/search-text.js';
import { searchProblem } from '../../domain/names.js';
import type { EventSearch, Search, SearchHit, SearchTurn } from '../../engine/admin/event-search.js';
import type { LogSource } from '../../engine/log/log-source.js';
import type { LoopSlices } from '../../lib/loop-slices.js';
import { listCriteria, listEcho } from '../events/event-wire.js';
import { ListSpan, type SpanSource } from '../events/list-span.js';
import { decodePageToken, type Key } from '../wire/page-token.js';
import { listPage, type Read } from '../wire/pages.js';
import { entryKinds } from '../wire/wire.js';
import type { SearchFrames } from './search-frames.js';

export interface SearchCallsOptions {
  readonly events: EventSearch;
  readonly source: SpanSource & Pick<LogSource, 'epoch'>;
  readonly frames: SearchFrames;
  /** Shared by all who look at many payloads. */
  readonly slices: LoopSlices;
}

/** How many were given that have the text as their id, and the position that the search goes on from, going down. */
const KEY = { given: 'position', upTo: 'position' } as const;
type Place = Key<typeof KEY>;

interface Item extends Place {
  readonly encoded: Uint8Array;
}

type Caller = Omit<SearchTurn, 'limit'>;

export class SearchCalls {
  readonly #options: SearchCallsOptions;

  constructor(options: SearchCallsOptions) {
    this.#options = options;
  }

  /** The encoded SearchEventsResponse. */
  async search(request: SearchEventsRequest, caller: Caller): Promise<Uint8Array> {
    const { source, frames, events } = this.#options;
    const text = searchText(request.query);
    const criteria = searchCriteria(request.filter);
    const { afterPosition = 0n, beforePosition } = request.filter ?? {};
    const filter = { criteria, newestFirst: true, afterPosition, beforePosition, signal: caller.signal };
    const span = new ListSpan(source, filter);
    const of = ['SearchEvents', text.text, criteria, Number(afterPosition), String(beforePosition)] as const;
    const { epoch } = source;
    const page = await listPage(request, {
      ...{ of, epoch, key: KEY },
      read: async (at, limit) =>
        this.#read({ text, criteria, ...(await span.from(at?.upTo)) }, at?.given, { ...caller, limit }),
      toWire: ({ encoded }: Item) => encoded,
      codec: { encode: (bytes: Uint8Array) => ({ finish: () => bytes }) },
    });
    const { nextPageToken } = page;
    const next =
      decodePageToken(nextPageToken, KEY, { request: of, epoch })?.upTo ?? (await span.from(undefined)).after;
    const searchedTo = next + 1;
    const searchedToTime = await events.createdAt(searchedTo);
    const echo = listEcho(request.filter, criteria);
    return frames.page({ hits: page.items, nextPageToken, searchedTo, searchedToTime, filter: echo });
  }

  async #read(search: Search, given: number | undefined, turn: SearchTurn): Promise<Read<Item, typeof KEY>> {
    const { events } = this.#options;
    const byId = await events.byId(search);
    const all = Math.max(given ?? 0, byId.length);
    const first = await this.#items(byId.slice(given), turn, (_, index) => {
      return { given: (given ?? 0) + index + 1, upTo: search.upTo };
    });
    if (first.length >= turn.limit) return { items: first, next: { given: all, upTo: search.upTo } };
    const { hits, next } = await events.page(search, { ...turn, limit: turn.limit - first.length });
    const known = new Set(byId.map(({ entry }) => entry.position));
    const others = hits.filter(({ entry }) => !known.has(entry.position));
    const items = await this.#items(others, turn, ({ position }) => ({ given: all, upTo: position - 1 }));
    return { items: [...first, ...items], next: next > search.after ? { given: all, upTo: next } : undefined };
  }

  /** The hits encoded, each with where the search goes on after it. A page may be as much work as what slices are for. */
  async #items(
    hits: readonly SearchHit[],
    { caller, signal }: SearchTurn,
    placeOf: (entry: SearchHit['entry'], index: number) => Place,
  ): Promise<readonly Item[]> {
    const items: Item[] = [];
    const look = (hit: SearchHit) => {
      items.push({ encoded: this.#options.frames.hit(hit), ...placeOf(hit.entry, items.length) });
      return true;
    };
    await this.#options.slices.each(caller, { items: hits, bytesOf: ({ entry }) => entryBytes(entry), look }, signal);
    return items;
  }
}

function searchText(query: string): SearchText {
  const problem = searchProblem(query);
  if (problem !== undefined) throw fieldInvalid('query', problem);
  return new SearchText(query);
}

/** The criteria of a search: of entries, and told without payloads. */
function searchCriteria(filter: EventFilter | undefined): EventCriteria {
  const criteria = listCriteria(filter);
  if (criteria.description !== undefined) throw fieldInvalid('filter.description', 'is not taken by a search');
  entryKinds('filter.statuses', filter?.statuses ?? []);
  return criteria;
}
