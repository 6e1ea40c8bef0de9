// Entries as they go into archives.

import { archiveLine, payloadHash } from '../../domain/archive/archive-line.js';
import type { LogEntry } from '../../domain/events/event.js';
import type { ArchivedLine } from '../ports/archive-storage.js';

export function archivedLine(entry: LogEntry): ArchivedLine {
  const { position, eventId, createdAt, payload } = entry;
  const payloadBytes = payload?.bytes.byteLength ?? 0;
  const payloadSha256 = payloadHash(entry);
  return { position, eventId, createdAt, payloadBytes, payloadSha256, text: archiveLine(entry, payloadSha256) };
}
