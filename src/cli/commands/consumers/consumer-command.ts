// What the commands about one consumer have in common.

import type { Command } from 'commander';
import { Consumer } from '../../../../generated/madeleine/v1/consumer_service.js';
import { clientCommand } from '../../connection/run.js';
import { messageView } from '../../text/event-json.js';
import { CONSUMER_COLUMNS } from './consumer-text.js';

/** How one consumer is shown. */
export const CONSUMER = messageView(Consumer, CONSUMER_COLUMNS);

/** A command whose first argument is a consumer. */
export function consumerCommand(name: string, summary: string): Command {
  return clientCommand(name, summary)
    .argument('<consumer>', 'name of the consumer')
    .option('--context <name>', 'context of the consumer (default "default")');
}
