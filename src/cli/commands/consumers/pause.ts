// `madeleine consumers pause` and `resume`.

import type { Command } from 'commander';
import { shows } from '../../connection/calls.js';
import type { ClientOptions } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { type ByFlag, byOption } from '../../text/by-option.js';
import { defined } from '../../text/values.js';
import { CONSUMER, consumerCommand } from './consumer-command.js';

interface PauseFlags extends ClientOptions, ByFlag {
  readonly context?: string;
  readonly reason?: string;
}

export function pauseConsumer(deps: CliDeps): Command {
  return consumerCommand('pause', 'have nothing delivered until it is resumed; one that is paused stays as it is')
    .option('--reason <text>', 'why, for people')
    .addOption(byOption())
    .action(
      shows(deps, CONSUMER, {
        request: (consumer: string, { context, reason, by }: PauseFlags) => ({
          consumer,
          ...defined({ context, reason, by }),
        }),
        call: ({ consumers }, request, options) => consumers.pauseConsumer(request, options),
        item: ({ consumer }) => consumer,
      }),
    );
}

export function resumeConsumer(deps: CliDeps): Command {
  return consumerCommand('resume', 'end the pause of a consumer; one that is not paused stays as it is')
    .addOption(byOption())
    .action(
      shows(deps, CONSUMER, {
        request: (consumer: string, { context, by }: PauseFlags) => ({ consumer, ...defined({ context, by }) }),
        call: ({ consumers }, request, options) => consumers.resumeConsumer(request, options),
        item: ({ consumer }) => consumer,
      }),
    );
}
