// `madeleine search`: prints the events that have a text, newest first, as they are found.

import type { Command } from 'commander';
import { ClientError } from 'nice-grpc';
import { type SearchEventsResponse, SearchHit } from '../../../../generated/madeleine/v1/admin_service.js';
import { EventFilter, type EventStatus } from '../../../../generated/madeleine/v1/event.js';
import { systemClock } from '../../../lib/clock.js';
import type { Millis } from '../../../units.js';
import { refusalOf } from '../../connection/failures.js';
import { type ClientOptions, clientCommand, runClient, type Session } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { eventLine, messageJson } from '../../text/event-json.js';
import { cut, type Output, printable } from '../../text/output.js';
import { type Seconds, timestampText } from '../../text/time-text.js';
import { collect, count, defined, entryStatuses, time, uint64 } from '../../text/values.js';

interface SearchFlags extends ClientOptions {
  readonly context?: string;
  readonly topic?: readonly string[];
  readonly stream?: readonly string[];
  readonly issuer?: readonly string[];
  readonly status?: readonly EventStatus[];
  readonly after?: bigint;
  readonly before?: bigint;
  readonly since?: Seconds;
  readonly until?: Seconds;
  readonly limit?: number;
}

const PAGE_SIZE = 1_000;
/** How often a page is asked for. */
const ATTEMPTS = 5;
/** How often it is said how far the search is. */
const NEWS_MS: Millis = 2_000;

const HELP = `
The text is found in ids (as a whole), names, properties, descriptions and payloads: letters of ASCII in either case, everything
else as it is; % and _ are themselves. Events are looked at one by one, the newest first: name topics, a stream or times where you can.

Examples:
  $ madeleine search 'order-7'
  $ madeleine search --topic payments --since 2d 'card declined'
  $ madeleine search --context all --limit 1 0193f0a4-5b5c-7d1e-8f3a-0123456789ab --json`;

export function searchCommand(deps: CliDeps): Command {
  return clientCommand('search', 'find events by what stands in them')
    .argument('<text>', 'what to look for, taken literally')
    .option('--context <name>', 'context; "all": every context (default "default")')
    .option('--topic <name>', 'only this topic; repeatable', collect)
    .option('--stream <name>', 'only this stream; repeatable', collect)
    .option('--issuer <name>', 'only this issuer; repeatable', collect)
    .option(
      '--status <status>',
      'occurred (default), invalidated, expired or transferred entries; repeatable',
      entryStatuses,
    )
    .option('--after <position>', 'only after this position', uint64)
    .option('--before <position>', 'only before this position', uint64)
    .option('--since <time>', 'only what was created later than this: a time, a day, or 15m for 15 minutes ago', time)
    .option('--until <time>', 'only what was created earlier than this', time)
    .option('--limit <n>', 'stop after so many events', count)
    .addHelpText('after', HELP)
    .action((query: string, flags: SearchFlags) => {
      return runClient(deps, flags, (session) => new EventSearch(session, query, flags).run(), {
        unread: 'end at once',
      });
    });
}

function filterOf({ context, topic = [], stream = [], issuer = [], status = [], ...bounds }: SearchFlags): EventFilter {
  const { after: afterPosition, before: beforePosition, since: startTime, until: endTime } = bounds;
  const lists = { topics: [...topic], streams: [...stream], issuers: [...issuer], statuses: [...status] };
  return EventFilter.fromPartial({
    ...lists,
    ...defined({ context, afterPosition, beforePosition, startTime, endTime }),
  });
}

class EventSearch {
  readonly #session: Session;
  readonly #query: string;
  readonly #filter: EventFilter;
  readonly #limit: number;
  #found = 0;
  #toldAtMs = Number.NEGATIVE_INFINITY;

  constructor(session: Session, query: string, flags: SearchFlags) {
    this.#session = session;
    this.#query = query;
    this.#filter = filterOf(flags);
    this.#limit = flags.limit ?? Number.POSITIVE_INFINITY;
  }

  /** Prints what is found, page by page. */
  async run(): Promise<void> {
    let pageToken = '';
    do {
      const page = await this.#page(pageToken);
      const rest = this.#limit - this.#found;
      for (const hit of page.hits.slice(0, rest)) await printHit(this.#session.output, hit);
      this.#found += Math.min(page.hits.length, rest);
      pageToken = page.nextPageToken;
      // One more was asked for, so that it can be said that there are more.
      if (page.hits.length > rest) return this.#session.output.notice('there are more: --limit');
      if (pageToken !== '') this.#tell(page);
    } while (pageToken !== '');
    // Else it could not be told from a search that did not reach its end.
    if (this.#found === 0) this.#session.output.notice('nothing is found');
  }

  /** The page after a token; one that had no turn is asked for again, as each waits for seconds. */
  async #page(pageToken: string): Promise<SearchEventsResponse> {
    const { client } = this.#session;
    const pageSize = Math.min(PAGE_SIZE, this.#limit - this.#found + 1);
    const request = { query: this.#query, filter: this.#filter, pageSize, pageToken };
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await client.call((options) => client.admin.searchEvents(request, options));
      } catch (error) {
        const isTooWide = error instanceof ClientError && refusalOf(error).reason === 'SEARCH_TOO_WIDE';
        if (!isTooWide || attempt === ATTEMPTS) throw error;
      }
    }
  }

  #tell({ searchedTo, searchedToTime }: SearchEventsResponse): void {
    const nowMs = systemClock.monotonicMs();
    if (nowMs - this.#toldAtMs < NEWS_MS) return;
    this.#toldAtMs = nowMs;
    const of = searchedToTime === undefined ? '' : ` of ${timestampText(searchedToTime)}`;
    this.#session.output.notice(`searched back to position ${searchedTo}${of}, ${this.#found} found`);
  }
}

async function printHit(output: Output, hit: SearchHit): Promise<void> {
  if (output.json) return output.line(messageJson(SearchHit, hit));
  if (hit.event !== undefined) await output.line(eventLine(hit.event, output.columns));
  for (const { field, excerpt } of hit.matches)
    await output.line(cut(printable(`        ${field}: ${excerpt}`), output.columns));
}
