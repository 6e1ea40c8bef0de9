// The calls of ConsumerService about places: who moved an offset, and snapshots to go back to.

import {
  type DeleteSnapshotRequest,
  type DeleteSnapshotResponse,
  type ListOffsetMovesRequest,
  type ListOffsetMovesResponse,
  type ListSnapshotsRequest,
  type ListSnapshotsResponse,
  OffsetMove,
  type RestoreSnapshotRequest,
  type RestoreSnapshotResponse,
  type SaveSnapshotRequest,
  type SaveSnapshotResponse,
  Snapshot,
} from '../../../generated/madeleine/v1/consumer_service.js';
import type { ConsumerSnapshot } from '../../domain/consumers/managed/consumer-snapshot.js';
import type { Consumers } from '../../engine/consumers/consumers.js';
import type { PlaceListing } from '../../engine/consumers/places/place-listing.js';
import type { LogSource } from '../../engine/log/log-source.js';
import type { MoveRecord } from '../../storage/ports/place-storage.js';
import { managementCall } from '../wire/management-call.js';
import { listPage } from '../wire/pages.js';
import { reasonField, requiredName } from '../wire/wire.js';
import { consumerKey } from './consumer-wire.js';
import { moveToWire, restoredToWire, snapshotToWire } from './place-wire.js';

export interface PlaceCallsOptions {
  readonly consumers: Consumers;
  readonly listing: PlaceListing;
  readonly source: LogSource;
}

export class PlaceCalls {
  readonly #options: PlaceCallsOptions;

  constructor(options: PlaceCallsOptions) {
    this.#options = options;
  }

  async listMoves(request: ListOffsetMovesRequest): Promise<ListOffsetMovesResponse> {
    const { listing, source } = this.#options;
    const key = consumerKey(request);
    const { items: moves, nextPageToken } = await listPage(request, {
      of: ['ListOffsetMoves', key.context, key.name],
      epoch: source.epoch,
      key: { id: 'position' },
      read: (last, limit) => listing.moves(key, last?.id, limit),
      toWire: (move: MoveRecord) => moveToWire(move),
      codec: OffsetMove,
    });
    return { moves, nextPageToken };
  }

  async listSnapshots(request: ListSnapshotsRequest): Promise<ListSnapshotsResponse> {
    const { listing, source } = this.#options;
    const key = consumerKey(request);
    const { items: snapshots, nextPageToken } = await listPage(request, {
      of: ['ListSnapshots', key.context, key.name],
      epoch: source.epoch,
      key: { name: 'text' },
      read: (last, limit) => listing.snapshots(key, last?.name, limit),
      toWire: (snapshot: ConsumerSnapshot) => snapshotToWire(snapshot),
      codec: Snapshot,
    });
    return { snapshots, nextPageToken };
  }

  async save(request: SaveSnapshotRequest): Promise<SaveSnapshotResponse> {
    const key = consumerKey(request);
    const name = requiredName('name', request.name);
    const call = managementCall('SaveSnapshot', request);
    const { saved, replaced } = await this.#options.consumers.saveSnapshot(key, name, call);
    return { snapshot: snapshotToWire(saved), replaced: replaced && snapshotToWire(replaced) };
  }

  async restore(request: RestoreSnapshotRequest): Promise<RestoreSnapshotResponse> {
    const key = consumerKey(request);
    const name = requiredName('name', request.name);
    const asked = { call: managementCall('RestoreSnapshot', request), reason: reasonField(request.reason) };
    const { consumers } = this.#options;
    return restoredToWire(await consumers.restoreSnapshot(key, name, request.dryRun ? undefined : asked));
  }

  async delete(request: DeleteSnapshotRequest): Promise<DeleteSnapshotResponse> {
    const key = consumerKey(request);
    const name = requiredName('name', request.name);
    await this.#options.consumers.deleteSnapshot(key, name, managementCall('DeleteSnapshot', request));
    return {};
  }
}
