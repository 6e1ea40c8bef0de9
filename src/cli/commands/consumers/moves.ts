// `madeleine consumers moves`: who moved the offset of a consumer, when, from where to where, and why.

import type { Command } from 'commander';
import { OffsetMove, OffsetMoveKind } from '../../../../generated/madeleine/v1/consumer_service.js';
import { lists } from '../../connection/calls.js';
import type { ClientOptions } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { enumText } from '../../text/enum-text.js';
import { messageView } from '../../text/event-json.js';
import { timestampText } from '../../text/time-text.js';
import { count, defined } from '../../text/values.js';
import { consumerCommand } from './consumer-command.js';

interface MovesFlags extends ClientOptions {
  readonly context?: string;
}

const MOVES = messageView<OffsetMove>(OffsetMove, [
  { title: 'MOVED AT', text: ({ movedAt }) => timestampText(movedAt) },
  { title: 'KIND', text: ({ kind }) => enumText(OffsetMoveKind, 'OFFSET_MOVE_KIND_', kind) },
  { title: 'FROM', text: ({ formerOffset }) => (formerOffset === undefined ? '-' : String(formerOffset)), right: true },
  { title: 'TO', text: ({ offset }) => String(offset), right: true },
  { title: 'GENERATION', text: ({ generation }) => String(generation), right: true },
  { title: 'SNAPSHOT', text: ({ snapshot }) => snapshot || '-' },
  { title: 'BY', text: ({ by }) => by || '-' },
  { title: 'REASON', text: ({ reason }) => reason },
]);

export function listMoves(deps: CliDeps): Command {
  return consumerCommand('moves', 'list who moved the offset of a consumer, the newest move first')
    .option('--limit <n>', 'the newest ones only', count)
    .action(
      lists(deps, MOVES, {
        request: (consumer: string, { context }: MovesFlags) => ({ consumer, ...defined({ context }) }),
        call: ({ consumers }, request, options) => consumers.listOffsetMoves(request, options),
        items: ({ moves }) => moves,
      }),
    );
}
