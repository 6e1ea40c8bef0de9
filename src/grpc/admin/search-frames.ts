// Encodes what a search found: the events' own bytes are spliced in. The field numbers are those of
// proto/madeleine/v1/admin_service.proto; a test decodes the results with the generated code.

import type { SearchHit } from '../../engine/admin/event-search.js';
import type { Micros, Position } from '../../units.js';
import { timeField, type WireEventEncoder } from '../events/event-encoder.js';
import { WireWriter } from '../wire/wire-writer.js';

export interface SearchAnswer {
  readonly hits: readonly Uint8Array[];
  readonly nextPageToken: string;
  readonly searchedTo: Position;
  readonly searchedToTime: Micros | undefined;
  /** The filter in force, encoded; undefined: the request has none. */
  readonly filter: Uint8Array | undefined;
}

export class SearchFrames {
  readonly #encoder: WireEventEncoder;
  readonly #writer = new WireWriter();

  constructor(encoder: WireEventEncoder) {
    this.#encoder = encoder;
  }

  /** Encodes a SearchHit. */
  hit({ entry, matches }: SearchHit): Uint8Array {
    const w = this.#writer;
    w.reset();
    // It may be erased since it was looked at.
    const told = this.#encoder.isWhole(entry) ? matches : [];
    for (const { field, excerpt } of told.toReversed()) {
      const mark = w.mark;
      w.stringField(2, excerpt);
      w.stringField(1, field);
      w.close(2, mark);
    }
    const mark = w.mark;
    this.#encoder.write(w, entry, 'json');
    w.close(1, mark);
    return w.finish();
  }

  /** Encodes a SearchEventsResponse of encoded hits. */
  page({ hits, nextPageToken, searchedTo, searchedToTime, filter }: SearchAnswer): Uint8Array {
    const w = this.#writer;
    w.reset();
    if (filter !== undefined) {
      const mark = w.mark;
      w.raw(filter);
      w.close(5, mark);
    }
    if (searchedToTime !== undefined) timeField(w, 4, searchedToTime);
    w.numberField(3, searchedTo);
    w.stringField(2, nextPageToken);
    for (const bytes of hits.toReversed()) {
      const mark = w.mark;
      w.raw(bytes);
      w.close(1, mark);
    }
    return w.finish();
  }
}
