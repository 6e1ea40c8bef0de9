// How many events of each topic and stream occurred here, and how many a topic's schema refused.

import type { MadeleineError } from '../../domain/errors.js';
import { EntryKind, type LogEntry } from '../../domain/events/event.js';
import type { Metrics } from '../../telemetry.js';

/** Counts an entry that was committed, where an event occurred with it. */
export function countEvent({ topicEvents, streamEvents }: Metrics, { kind, context, topic, stream }: LogEntry): void {
  if (kind !== EntryKind.OCCURRED) return;
  topicEvents.inc(context, topic);
  if (stream !== '') streamEvents.inc(context, stream);
}

/** Counts a refused push where the schema of its topic refused it. */
export function countRejection(
  { schemaRejections }: Pick<Metrics, 'schemaRejections'>,
  { reason, metadata: { context = '', topic = '' } }: MadeleineError,
): void {
  if (reason === 'SCHEMA_REJECTED') schemaRejections.inc(context, topic);
}
