// Holds payloads against the schemas of their topics as they come in, before they are gathered into groups: in the slices of the event loop
// of whoever pushes. A group that meets another version of a schema checks again.

import type { EventDraft } from '../../domain/events/event.js';
import type { Json } from '../../domain/schemas/json.js';
import type { SchemaMet } from '../../domain/schemas/topic-schema.js';
import type { ShapeCatalogCache } from './shape-catalog-cache.js';

export class PayloadChecks {
  readonly #catalog: Pick<ShapeCatalogCache, 'current'>;

  constructor(catalog: Pick<ShapeCatalogCache, 'current'>) {
    this.#catalog = catalog;
  }

  /** What the push meets as far as is known now; undefined: its topic has no schema. `value`: of the payload, where somebody has read it. */
  met(draft: EventDraft, value?: unknown): SchemaMet | undefined {
    const { current } = this.#catalog;
    if (draft.payload === undefined || current.isEmpty) return undefined;
    return current.of(draft.context, draft.topic)?.schemas?.meet(draft, value as Json | undefined);
  }
}
