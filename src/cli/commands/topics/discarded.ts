// `madeleine topics discarded`: the last events that were discarded, as nobody registered their topic.

import type { Command } from 'commander';
import { DiscardedSample } from '../../../../generated/madeleine/v1/topic_service.js';
import { listCommand, lists } from '../../connection/calls.js';
import type { ClientOptions } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { messageView, payloadText } from '../../text/event-json.js';
import { type Column, cut } from '../../text/output.js';
import { timestampText } from '../../text/time-text.js';
import { count, defined } from '../../text/values.js';

interface DiscardedFlags extends ClientOptions {
  readonly context?: string;
  readonly topic?: string;
  readonly limit?: number;
}

/** Characters of a payload in the table; `--json` shows all that is kept. */
const MAX_PAYLOAD = 80;

const COLUMNS: readonly Column<DiscardedSample>[] = [
  { title: 'DISCARDED AT', text: ({ discardedAt }) => timestampText(discardedAt) },
  { title: 'CONTEXT', text: ({ context }) => context },
  { title: 'TOPIC', text: ({ topic }) => topic },
  { title: 'ISSUER', text: ({ issuer }) => issuer },
  { title: 'BYTES', text: ({ payloadBytes }) => String(payloadBytes), right: true },
  { title: 'PAYLOAD', text: (sample) => cut(contentText(sample), MAX_PAYLOAD) },
];

export function listDiscarded(deps: CliDeps): Command {
  return listCommand('discarded', 'list the last events that were discarded, as nobody registered their topic')
    .option('--topic <name>', 'only those of this topic')
    .option('--limit <n>', 'at most so many, the newest', count)
    .action(
      lists(deps, messageView(DiscardedSample, COLUMNS), {
        request: ({ context, topic }: DiscardedFlags) => defined({ context, topic }),
        call: ({ topics }, request, options) => topics.listDiscardedSamples(request, options),
        items: ({ samples }) => samples,
      }),
    );
}

function contentText({ payload, contentType, payloadBytes, description }: DiscardedSample): string {
  if (payloadBytes === 0 && description !== '') return `looked for ${description}`;
  return payloadText({ contentType, body: { $case: 'data', value: payload } });
}
