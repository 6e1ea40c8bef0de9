// `madeleine cawins create|expect|update`: makes cawins and changes them.

import type { Command } from 'commander';
import type { UpdateCawinRequest } from '../../../../generated/madeleine/v1/cawin_service.js';
import { Uuid7Source } from '../../../lib/uuid7.js';
import { answered, calls, shows } from '../../connection/calls.js';
import { UsageError } from '../../connection/failures.js';
import { clientCommand } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import type { Seconds } from '../../text/time-text.js';
import { defined, description, duration, time, uint64 } from '../../text/values.js';
import { outcomeText } from '../events/push-text.js';
import { addCallbackFlags, type CallbackFlags, callbackOf } from './cawin-options.js';
import { CAWIN } from './cawin-text.js';

const URL_TEXT = 'https://…, grpcs://host:port or amqp:exchange/routing.key';

interface CreateFlags extends CallbackFlags {
  readonly expiresAt?: Seconds;
  readonly requestId?: string;
  readonly inactive?: true;
}

export function createCommand(deps: CliDeps): Command {
  return addCallbackFlags(clientCommand('create', 'make a cawin on an event'))
    .argument('<event>', 'id of the event, awaited or ended', uint64)
    .argument('<url>', URL_TEXT)
    .option('--expires-at <time>', 'own deadline (default that of the event)', time)
    .option('--request-id <id>', 'makes repeating the command safe')
    .option('--inactive', 'fire nothing until it is activated')
    .action(
      shows(deps, CAWIN, {
        request: async (eventId: bigint, url: string, flags: CreateFlags) => {
          const callback = await callbackOf(url, flags);
          const { expiresAt, notifyOn = [], inactive } = flags;
          const rest = { active: inactive !== true, notifyOn: [...notifyOn], requestId: requestId(flags) };
          return { eventId, callback, ...rest, ...defined({ expiresAt }) };
        },
        call: ({ cawins }, request, options) => cawins.createCawin(request, options),
        item: ({ cawin }) => cawin,
      }),
    );
}

type Description = Readonly<Record<string, unknown>>;

interface ExpectFlags extends CallbackFlags {
  readonly context?: string;
  readonly issuer?: string;
  readonly since?: Seconds;
  readonly waitTimeout?: Seconds;
  readonly requestId?: string;
}

export function expectCommand(deps: CliDeps): Command {
  return addCallbackFlags(clientCommand('expect', 'look for an event, await it if necessary, and make a cawin on it'))
    .argument('<topic>', 'topic of the event')
    .argument('<description>', 'part of its payload, as JSON', description)
    .argument('<url>', URL_TEXT)
    .option('--issuer <name>', 'who asks (default "cli")')
    .option('--context <name>', 'context (default "default")')
    .option('--since <time>', 'look for what occurred later than this: a time, a day, or 15m (default 30d ago)', time)
    .option('--wait-timeout <duration>', 'how long to wait (default 30d, at most 365d)', duration)
    .option('--request-id <id>', 'makes repeating the command safe')
    .action(
      calls(
        deps,
        {
          request: async (topic: string, wanted: Description, url: string, flags: ExpectFlags) => {
            const callback = await callbackOf(url, flags);
            const { issuer = 'cli', context, since, waitTimeout, notifyOn = [] } = flags;
            const rest = { description: wanted, notifyOn: [...notifyOn], requestId: requestId(flags) };
            return { topic, issuer, callback, ...rest, ...defined({ context, since, waitTimeout }) };
          },
          call: ({ cawins }, request, options) => cawins.checkOrWait(request, options),
        },
        async ({ output }, { event, outcome, cawin }) => {
          output.notice(`event ${event?.id ?? ''} is ${outcomeText(outcome)}`);
          await output.item(answered(cawin), CAWIN);
        },
      ),
    );
}

/** A call that is repeated after a lost connection makes one cawin, with or without an id of the user's. */
function requestId(flags: { readonly requestId?: string }): string {
  return flags.requestId ?? new Uuid7Source(Date.now).next();
}

interface UpdateFlags extends CallbackFlags {
  readonly url?: string;
  readonly unsigned?: true;
  readonly expiresAt?: Seconds | false;
  readonly anyEnd?: true;
}

export function updateCommand(deps: CliDeps): Command {
  return addCallbackFlags(clientCommand('update', 'change a cawin; what is given holds from the next call on'))
    .argument('<cawin>', 'id of the cawin', uint64)
    .option('--url <url>', URL_TEXT)
    .option('--unsigned', 'end the signing; a new secret instead signs together with the former one for 24 hours')
    .option('--no-header', 'send no headers of its own along')
    .option('--any-end', 'notify on all three ends again')
    .option('--expires-at <time>', 'own deadline', time)
    .option('--no-expires-at', 'take the deadline of the event')
    .action(
      shows(deps, CAWIN, {
        request: async (id: bigint, flags: UpdateFlags) => {
          const updateMask = changedFields(flags);
          const callback = await callbackOf(flags.url ?? '', flags);
          const { notifyOn = [], expiresAt } = flags;
          const own = defined({ expiresAt: expiresAt === false ? undefined : expiresAt });
          return { id, callback, notifyOn: [...notifyOn], ...own, updateMask };
        },
        call: ({ cawins }, request, options) => cawins.updateCawin(request, options),
        item: ({ cawin }) => cawin,
      }),
    );
}

/** The update mask: what is named and not given goes back to its default. */
function changedFields(flags: UpdateFlags): NonNullable<UpdateCawinRequest['updateMask']> {
  const { url, secretFile, unsigned, header, timeout, notifyOn, anyEnd, expiresAt } = flags;
  if (secretFile !== undefined && unsigned) throw new UsageError('give --secret-file or --unsigned, not both');
  if (notifyOn !== undefined && anyEnd) throw new UsageError('give --notify-on or --any-end, not both');
  const changed: Readonly<Record<string, boolean>> = {
    'callback.url': url !== undefined,
    'callback.secret': secretFile !== undefined || unsigned === true,
    'callback.headers': header !== undefined,
    'callback.timeout': timeout !== undefined,
    notify_on: notifyOn !== undefined || anyEnd === true,
    expires_at: expiresAt !== undefined,
  };
  const mask = Object.keys(changed).filter((field) => changed[field]);
  if (mask.length === 0) throw new UsageError('give at least one setting to change');
  return mask;
}
