// `madeleine cawins`: lists, shows, switches, retries and deletes cawins, and shows what was tried.

import { Command } from 'commander';
import { Attempt, Cawin, type CawinState } from '../../../../generated/madeleine/v1/cawin_service.js';
import { allPages } from '../../connection/pages.js';
import { type ClientOptions, clientCommand, runClient } from '../../connection/run.js';
import type { CliDeps } from '../../deps.js';
import { messageJson } from '../../text/event-json.js';
import { defined, uint64 } from '../../text/values.js';
import { createCommand, expectCommand, updateCommand } from './cawin-changes.js';
import { cawinStates, printCawin } from './cawin-options.js';
import { ATTEMPT_COLUMNS, LIST_COLUMNS } from './cawin-text.js';

interface CawinFlags extends ClientOptions {
  readonly context?: string;
  readonly event?: bigint;
  readonly state?: readonly CawinState[];
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
  const parent = new Command('cawins').description('list and manage callbacks on events').addHelpText('after', HELP);
  parent.addCommand(listCommand(deps), { isDefault: true });
  for (const make of [expectCommand, createCommand, getCommand, attemptsCommand, updateCommand, retryCommand]) {
    parent.addCommand(make(deps));
  }
  parent.addCommand(switchCommand(deps, 'activate', true));
  parent.addCommand(switchCommand(deps, 'deactivate', false));
  parent.addCommand(deleteCommand(deps));
  return parent;
}

function cawinCommand(name: string, summary: string): Command {
  return clientCommand(name, summary).argument('<cawin>', 'id of the cawin', uint64);
}

function listCommand(deps: CliDeps): Command {
  return clientCommand('list', 'list cawins in the order in which they were made')
    .option('--context <name>', 'context; "all": every context (default "default")')
    .option('--event <id>', 'only those on this event', uint64)
    .option('--state <state>', 'waiting, firing, fired, failed, inactive or closed; repeatable', cawinStates)
    .action(async (flags: CawinFlags) => {
      const { context, event: eventId, state = [] } = flags;
      const filter = { states: [...state], ...defined({ context, eventId }) };
      await runClient(deps, flags, async ({ client, output }) => {
        const cawins = await allPages(async (pageToken) => {
          const page = await client.call((options) =>
            client.cawins.listCawins({ ...filter, pageSize: 1000, pageToken }, options),
          );
          return { items: page.cawins, nextPageToken: page.nextPageToken };
        });
        await output.list(cawins, LIST_COLUMNS, (cawin) => messageJson(Cawin, cawin));
      });
    });
}

function getCommand(deps: CliDeps): Command {
  return cawinCommand('get', 'show a cawin').action(async (id: bigint, flags: CawinFlags) => {
    await runClient(deps, flags, async (session) => {
      const { client } = session;
      const { cawin } = await client.call((options) => client.cawins.getCawin({ id }, options));
      await printCawin(session, cawin);
    });
  });
}

function attemptsCommand(deps: CliDeps): Command {
  return cawinCommand('attempts', 'list the calls that were made').action(async (id: bigint, flags: CawinFlags) => {
    await runClient(deps, flags, async ({ client, output }) => {
      const attempts = await allPages(async (pageToken) => {
        const page = await client.call((options) =>
          client.cawins.listAttempts({ cawinId: id, pageSize: 1000, pageToken }, options),
        );
        return { items: page.attempts, nextPageToken: page.nextPageToken };
      });
      await output.list(attempts, ATTEMPT_COLUMNS, (attempt) => messageJson(Attempt, attempt));
    });
  });
}

function retryCommand(deps: CliDeps): Command {
  return cawinCommand('retry', 'call again at once what failed, or waits for its next attempt').action(
    async (id: bigint, flags: CawinFlags) => {
      await runClient(deps, flags, async (session) => {
        const { client } = session;
        const { cawin } = await client.call((options) => client.cawins.retryCawin({ id }, options));
        await printCawin(session, cawin);
      });
    },
  );
}

function switchCommand(deps: CliDeps, name: string, active: boolean): Command {
  const summary = active ? 'switch a cawin on: it fires what it has missed' : 'switch a cawin off: nothing is called';
  return cawinCommand(name, summary).action(async (id: bigint, flags: CawinFlags) => {
    await runClient(deps, flags, async (session) => {
      const { client } = session;
      const request = { id, active, updateMask: ['active'] };
      const { cawin } = await client.call((options) => client.cawins.updateCawin(request, options));
      await printCawin(session, cawin);
    });
  });
}

function deleteCommand(deps: CliDeps): Command {
  return cawinCommand('delete', 'delete a cawin with its firings and attempts').action(
    async (id: bigint, flags: CawinFlags) => {
      await runClient(deps, flags, async ({ client, output }) => {
        // Once: a repeated call would find that its cawin is gone, and call that an error.
        await client.callOnce((options) => client.cawins.deleteCawin({ id }, options));
        if (!output.json) await output.line(`deleted ${id}`);
      });
    },
  );
}
