// What the commands about one topic share.

import type { Command } from 'commander';
import { type ClientOptions, clientCommand } from '../../connection/run.js';
import { defined } from '../../text/values.js';

export interface TopicFlags extends ClientOptions {
  readonly context?: string;
}

/** A command about the topic that its argument names. */
export function topicCommand(name: string, summary: string): Command {
  return clientCommand(name, summary)
    .argument('<topic>', 'name of the topic')
    .option('--context <name>', 'context (default "default")');
}

export function keyOf(name: string, { context }: TopicFlags) {
  return { name, ...defined({ context }) };
}
