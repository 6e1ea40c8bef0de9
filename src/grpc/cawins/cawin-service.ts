// CawinService: checks requests, calls the engine, answers. What it promises is written in cawin_service.proto.

import type { CallContext } from 'nice-grpc';
import {
  Attempt,
  Cawin,
  type CreateCawinRequest,
  type CreateCawinResponse,
  type DeleteCawinRequest,
  type DeleteCawinResponse,
  type ExplainWaitRequest,
  type GetCawinRequest,
  type GetCawinResponse,
  type ListAttemptsRequest,
  type ListAttemptsResponse,
  type ListCawinsRequest,
  type ListCawinsResponse,
  type RetryCawinRequest,
  type RetryCawinResponse,
  type UpdateCawinRequest,
  type UpdateCawinResponse,
  type WaitForEventRequest,
} from '../../../generated/madeleine/v1/cawin_service.js';
import { drainingError } from '../../domain/errors.js';
import { EntryKind } from '../../domain/events/event.js';
import type { Cawins } from '../../engine/cawins/cawins.js';
import type { CheckOrWait } from '../../engine/cawins/check-or-wait.js';
import type { LogSource } from '../../engine/log/log-source.js';
import { joinSignals } from '../../engine/log/log-wait.js';
import type { ExplainWait } from '../../engine/waits/explain-wait.js';
import type { Waits } from '../../engine/waits/waits.js';
import type { WireEventEncoder } from '../events/event-encoder.js';
import { fitting } from '../events/fitting.js';
import { encoded, type MethodCodec } from '../wire/definitions.js';
import { listPage } from '../wire/pages.js';
import { callerOf, idField, payloadForm, readContext, sizeField } from '../wire/wire.js';
import { CawinFrames } from './cawin-frames.js';
import {
  attemptToWire,
  cawinChangeFromWire,
  cawinToWire,
  checkOrWaitFromWire,
  nearMissToWire,
  newCawinFromWire,
  statesFromWire,
} from './cawin-wire.js';
import { type DecodedCheck, decodeCheckOrWait } from './check-decoder.js';

const NEAR_MISSES = { default: 5, max: 20 };

/** Calls that the service decodes or encodes itself. */
export const CAWIN_CODECS: Readonly<Record<string, MethodCodec>> = {
  checkOrWait: { decode: decodeCheckOrWait, ...encoded },
  waitForEvent: encoded,
  explainWait: encoded,
};

export interface CawinServiceOptions {
  readonly cawins: Cawins;
  readonly checkOrWait: CheckOrWait;
  readonly explainWait: ExplainWait;
  readonly waits: Waits;
  readonly source: LogSource;
  readonly encoder: WireEventEncoder;
  /** Aborts when the server drains: those who wait are sent elsewhere. */
  readonly draining: AbortSignal;
}

export class CawinService {
  readonly #options: CawinServiceOptions;
  readonly #frames: CawinFrames;

  constructor(options: CawinServiceOptions) {
    this.#options = options;
    this.#frames = new CawinFrames(options.encoder);
  }

  async createCawin(request: CreateCawinRequest, { signal }: CallContext): Promise<CreateCawinResponse> {
    const { cawin, created } = await this.#options.cawins.create(newCawinFromWire(request), signal);
    return { cawin: cawinToWire(cawin), created };
  }

  async checkOrWait(request: DecodedCheck, { signal, peer }: CallContext): Promise<Uint8Array> {
    const { push, terms } = checkOrWaitFromWire(request);
    const { cawin, event, isAwaited } = await this.#options.checkOrWait.run(push, terms, {
      signal,
      caller: callerOf(peer),
    });
    return this.#frames.checked(cawinToWire(cawin), event, isAwaited);
  }

  async *waitForEvent(request: WaitForEventRequest, context: CallContext): AsyncGenerator<Uint8Array, void> {
    const { waits, draining } = this.#options;
    const form = payloadForm('payload_encoding', request.payloadEncoding);
    const eventId = idField('event_id', request.eventId);
    const now = await waits.current(eventId);
    const hasEnded = now.kind !== EntryKind.AWAITED;
    if (hasEnded || !request.endOnly) yield this.#frames.waited(now, hasEnded, form);
    if (hasEnded) return;
    const either = joinSignals([context.signal, draining]);
    try {
      const end = await waits.waitFor(eventId, either.signal);
      if (end !== undefined) yield this.#frames.waited(end, true, form);
      else if (draining.aborted) throw drainingError();
    } finally {
      either.release();
    }
  }

  async getCawin(request: GetCawinRequest): Promise<GetCawinResponse> {
    return { cawin: cawinToWire(await this.#options.cawins.get(idField('id', request.id))) };
  }

  async listCawins(request: ListCawinsRequest): Promise<ListCawinsResponse> {
    const { cawins, source } = this.#options;
    const context = readContext('context', request.context);
    const states = statesFromWire('states', request.states);
    const event = request.eventId === 0n ? {} : { eventId: Number(request.eventId) };
    const { items, nextPageToken } = await listPage(request, {
      of: ['ListCawins', context, String(request.eventId), [...states].sort()],
      epoch: source.epoch,
      key: { id: 'position' },
      read: (after, limit) => cawins.list({ context, after: after?.id ?? 0, limit, ...event }),
      toWire: cawinToWire,
      codec: Cawin,
    });
    // No index knows their states: a page has fewer where some are in others.
    return { cawins: items.filter(({ state }) => states.size === 0 || states.has(state)), nextPageToken };
  }

  async updateCawin(request: UpdateCawinRequest): Promise<UpdateCawinResponse> {
    const id = idField('id', request.id);
    return { cawin: cawinToWire(await this.#options.cawins.update(id, cawinChangeFromWire(request))) };
  }

  async deleteCawin(request: DeleteCawinRequest): Promise<DeleteCawinResponse> {
    await this.#options.cawins.delete(idField('id', request.id));
    return {};
  }

  async listAttempts(request: ListAttemptsRequest): Promise<ListAttemptsResponse> {
    const { cawins, source } = this.#options;
    const id = idField('cawin_id', request.cawinId);
    const { items, nextPageToken } = await listPage(request, {
      of: ['ListAttempts', id],
      epoch: source.epoch,
      key: { kind: 'position', number: 'position' },
      read: (after, limit) => cawins.attempts(id, after, limit),
      toWire: attemptToWire,
      codec: Attempt,
    });
    return { attempts: items, nextPageToken };
  }

  async retryCawin(request: RetryCawinRequest): Promise<RetryCawinResponse> {
    const { cawin, retried } = await this.#options.cawins.retry(idField('id', request.id));
    return { cawin: cawinToWire(cawin), retried };
  }

  async explainWait(request: ExplainWaitRequest, { peer, signal }: CallContext): Promise<Uint8Array> {
    const { explainWait, encoder } = this.#options;
    const form = payloadForm('payload_encoding', request.payloadEncoding);
    const limit = sizeField('limit', request.limit, NEAR_MISSES);
    const eventId = idField('event_id', request.eventId);
    const { event, nearMisses, lookedAt } = await explainWait.run(eventId, limit, callerOf(peer), signal);
    const entries = [event, ...nearMisses.map((miss) => miss.event)];
    const [own, ...others] = fitting(entries, (entry) => encoder.encode(entry, form).byteLength);
    const misses = nearMisses.map((miss, index) => {
      const { entry, isShortened } = others[index] ?? { entry: miss.event, isShortened: false };
      return { entry, said: nearMissToWire(miss, isShortened) };
    });
    return this.#frames.explained(own?.entry ?? event, misses, lookedAt, form);
  }
}
