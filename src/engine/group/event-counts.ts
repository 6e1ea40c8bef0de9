// How many events of each topic and stream occurred here.

import { EntryKind, type LogEntry } from '../../domain/events/event.js';
import type { Metrics } from '../../telemetry.js';

/** Counts an entry that was committed, where an event occurred with it. */
export function countEvent({ topicEvents, streamEvents }: Metrics, { kind, context, topic, stream }: LogEntry): void {
  if (kind !== EntryKind.OCCURRED) return;
  topicEvents.inc(context, topic);
  if (stream !== '') streamEvents.inc(context, stream);
}
