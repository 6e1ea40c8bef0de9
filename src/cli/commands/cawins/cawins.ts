// `madeleine cawins`: lists, shows, switches, retries and deletes cawins, and shows what was tried.

import type { Command } from 'commander';
import type { CawinState } from '../../../../generated/madeleine/v1/cawin_service.js';
import { commandGroup, deletes, listCommand, lists, shows } from '../../connection/calls.js';
import { type ClientOptions, clientCommand } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { defined, uint64 } from '../../text/values.js';
import { createCommand, expectCommand, updateCommand } from './cawin-changes.js';
import { cawinStates } from './cawin-options.js';
import { ATTEMPT, CAWIN, LISTED } from './cawin-text.js';

interface CawinFlags extends ClientOptions {
  readonly context?: string;
  readonly event?: bigint;
  readonly state?: CawinState[];
}

const HELP = `
A cawin calls a URL when its event ends, or at once if it has ended. \`expect\` looks for the event by a description and
awaits it if necessary; \`create\` takes an event by its id. Calls to http(s) are CloudEvents, signed after Standard Webhooks
if there is a secret; a status from 200 to 299 takes them, a refusal such as 404 or 410 ends them, all else is tried again.

Examples:
  $ echo "whsec_$(openssl rand -base64 32)" > paid.secret
  $ madeleine cawins expect payments '{"order": 7, "state": "paid"}' https://shop.example.org/paid --secret-file paid.secret
  $ madeleine cawins create 17 grpcs://shop.example.org:443 --notify-on occurred
  $ madeleine cawins list --event 17
  $ madeleine cawins list --state failed
  $ madeleine cawins attempts 4
  $ madeleine cawins update 4 --url https://shop.example.org/v2/paid
  $ madeleine cawins retry 4
  $ madeleine cawins deactivate 4`;

export function cawinsCommand(deps: CliDeps): Command {
  const parent = { name: 'cawins', summary: 'list and manage callbacks on events', help: HELP };
  const changes = [updateCommand, retryCawin, activateCawin, deactivateCawin, deleteCawin];
  return commandGroup(deps, parent, [listCawins, expectCommand, createCommand, getCawin, listAttempts, ...changes]);
}

function cawinCommand(name: string, summary: string): Command {
  return clientCommand(name, summary).argument('<cawin>', 'id of the cawin', uint64);
}

function listCawins(deps: CliDeps): Command {
  return listCommand('list', 'list cawins in the order in which they were made')
    .option('--event <id>', 'only those on this event', uint64)
    .option('--state <state>', 'waiting, firing, fired, failed, inactive or closed; repeatable', cawinStates)
    .action(
      lists(deps, LISTED, {
        request: ({ context, event: eventId, state: states }: CawinFlags) => defined({ context, eventId, states }),
        call: ({ cawins }, request, options) => cawins.listCawins(request, options),
        items: ({ cawins }) => cawins,
      }),
    );
}

function getCawin(deps: CliDeps): Command {
  return cawinCommand('get', 'show a cawin').action(
    shows(deps, CAWIN, {
      request: keyOf,
      call: ({ cawins }, request, options) => cawins.getCawin(request, options),
      item: ({ cawin }) => cawin,
    }),
  );
}

function listAttempts(deps: CliDeps): Command {
  return cawinCommand('attempts', 'list the calls that were made').action(
    lists(deps, ATTEMPT, {
      request: (cawinId: bigint, _flags: ClientOptions) => ({ cawinId }),
      call: ({ cawins }, request, options) => cawins.listAttempts(request, options),
      items: ({ attempts }) => attempts,
    }),
  );
}

function retryCawin(deps: CliDeps): Command {
  return cawinCommand('retry', 'call again at once what failed, or waits for its next attempt').action(
    shows(deps, CAWIN, {
      request: keyOf,
      call: ({ cawins }, request, options) => cawins.retryCawin(request, options),
      item: ({ cawin }) => cawin,
    }),
  );
}

function activateCawin(deps: CliDeps): Command {
  const command = cawinCommand('activate', 'switch a cawin on: it fires what it has missed');
  return command.action(switches(deps, true));
}

function deactivateCawin(deps: CliDeps): Command {
  return cawinCommand('deactivate', 'switch a cawin off: nothing is called').action(switches(deps, false));
}

function switches(deps: CliDeps, active: boolean) {
  return shows(deps, CAWIN, {
    request: (id: bigint, _flags: ClientOptions) => ({ id, active, updateMask: ['active'] }),
    call: ({ cawins }, request, options) => cawins.updateCawin(request, options),
    item: ({ cawin }) => cawin,
  });
}

function deleteCawin(deps: CliDeps): Command {
  return cawinCommand('delete', 'delete a cawin with its firings and attempts').action(
    deletes(deps, {
      request: keyOf,
      call: ({ cawins }, request, options) => cawins.deleteCawin(request, options),
    }),
  );
}

function keyOf(id: bigint, _flags: ClientOptions) {
  return { id };
}
