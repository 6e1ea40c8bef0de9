// What the HTTP port answers, path by path.

import { type Context, Hono } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { Registry } from 'prom-client';
import { systemClock } from '../lib/clock.js';
import { within } from '../lib/within.js';
import type { Logger } from '../telemetry.js';

/** How long the readiness function may take before the answer is "not ready". */
const READINESS_TIMEOUT_MS = 2_000;
const TEXT = 'text/plain; charset=utf-8';
const JSON_TYPE = 'application/json';

export interface AdminRoutesOptions {
  /** Why this instance should get no calls now, a short sentence each; none: it is ready. */
  readonly readiness: () => Promise<readonly string[]> | readonly string[];
  /** What the server finds of its database, as JSON; no secrets. Undefined: it has none yet. */
  readonly inspection: () => Promise<object | undefined>;
  /** The registries whose metrics are given out together. Two must not have a metric of the same name. */
  readonly registries: readonly Registry[];
  readonly logger: Logger;
}

interface Answer {
  readonly status: ContentfulStatusCode;
  readonly type: string;
  readonly body: string;
}

/** Routes for what runs and watches the server, all of them read only. What fails is told by the log alone. */
export function adminRoutes({ readiness, inspection, registries, logger }: AdminRoutesOptions): Hono {
  const answers: { readonly [path: string]: () => Promise<Answer> | Answer } = {
    '/livez': () => text(200, 'ok'),
    '/readyz': async () => readinessAnswer(await reasonsAgainst(readiness, logger)),
    '/metrics': () => metrics(registries),
    '/doctor': async () => inspectionAnswer(await inspection()),
  };
  const routes = new Hono();
  for (const [path, answer] of Object.entries(answers)) {
    // An answer to HEAD is that to GET without its body.
    routes.get(path, async (context) => send(context, await answer()));
    routes.all(path, (context) => send(context, text(405, 'only GET and HEAD'), { allow: 'GET, HEAD' }));
  }
  const paths = Object.keys(answers).join(', ');
  routes.notFound((context) => send(context, text(404, `not found: there are ${paths}`)));
  routes.onError((error, context) => {
    logger.error({ err: error, path: context.req.path }, 'admin request failed');
    return send(context, text(500, 'failed: the reason is in the log'));
  });
  return routes;
}

function send(context: Context, { status, type, body }: Answer, headers: Readonly<Record<string, string>> = {}) {
  return context.body(body, status, {
    'content-type': type,
    'content-length': String(Buffer.byteLength(body)),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
  });
}

async function reasonsAgainst(readiness: AdminRoutesOptions['readiness'], logger: Logger): Promise<readonly string[]> {
  try {
    return await within(systemClock, READINESS_TIMEOUT_MS, readiness(), () => ['the check did not end in time']);
  } catch (error) {
    logger.error({ err: error }, 'readiness check failed');
    return ['the check failed: the reason is in the log'];
  }
}

function readinessAnswer(reasons: readonly string[]): Answer {
  return json(reasons.length === 0 ? 200 : 503, { ready: reasons.length === 0, reasons });
}

function inspectionAnswer(found: object | undefined): Answer {
  return found === undefined ? json(503, { reason: 'the server has no database now' }) : json(200, found);
}

async function metrics(registries: readonly Registry[]): Promise<Answer> {
  const merged = Registry.merge([...registries]);
  return { status: 200, type: merged.contentType, body: await merged.metrics() };
}

function json(status: ContentfulStatusCode, value: object): Answer {
  return { status, type: JSON_TYPE, body: `${JSON.stringify(value)}\n` };
}

function text(status: ContentfulStatusCode, body: string): Answer {
  return { status, type: TEXT, body: `${body}\n` };
}
