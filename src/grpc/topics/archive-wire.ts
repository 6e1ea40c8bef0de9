// Archives to the wire.

import type { Archive as WireArchive, ArchiveHold as WireHold } from '../../../generated/madeleine/v1/topic_service.js';
import type { ArchiveHold, StoredArchive } from '../../storage/ports/archive-storage.js';
import { toTimestamp } from '../wire/wire.js';

export function archiveHoldToWire({ since, problem, instance }: ArchiveHold): WireHold {
  return { since: toTimestamp(since), problem, instance };
}

export function archiveToWire({
  id,
  context,
  topic,
  name,
  instance,
  openedAt,
  ...content
}: StoredArchive): WireArchive {
  const { extent, sealed } = content;
  return {
    ...{ id: BigInt(id), context, topic, name, instance, openedAt: toTimestamp(openedAt) },
    sealedAt: sealed && toTimestamp(sealed.at),
    firstPosition: BigInt(extent?.firstPosition ?? 0),
    lastPosition: BigInt(extent?.lastPosition ?? 0),
    entries: BigInt(extent?.entries ?? 0),
    payloadBytes: BigInt(extent?.payloadBytes ?? 0),
    firstAt: extent && toTimestamp(extent.firstAt),
    lastAt: extent && toTimestamp(extent.lastAt),
    fileBytes: BigInt(extent?.fileBytes ?? 0),
    sha256: Buffer.from(sealed?.sha256 ?? '', 'hex'),
    digest: Buffer.from(sealed?.digest ?? '', 'hex'),
  };
}
