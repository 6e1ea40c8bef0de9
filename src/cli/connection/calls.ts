// Commands that are one call each, such as list, get, create and delete: what the arguments ask for, the call, and how its answer
// reads. They connect, repeat, print JSON and fail alike.

import { Command } from 'commander';
import type { CallOptions } from 'nice-grpc';
import type { CliDeps } from '../deps.js';
import type { View } from '../text/output.js';
import type { MadeleineClient } from './client.js';
import { CommandFailed } from './failures.js';
import { allPages, type PageRequest } from './pages.js';
import { type ClientOptions, clientCommand, runClient, type Session } from './run.js';

/** What commander gives an action: the arguments, then the flags. */
type Given = readonly [...unknown[], ClientOptions];

/** One call, in a command's words. */
export interface Call<Args extends Given, Request, Answer> {
  /** Makes the request, before anything is connected. Throws UsageError for arguments that do not go together. */
  readonly request: (...args: Args) => Request | Promise<Request>;
  readonly call: (client: MadeleineClient, request: Request, options: CallOptions) => Promise<Answer>;
  /** Whether the call may not be made again when its answer is lost; unset: it may. */
  readonly isOnce?: (request: Request) => boolean;
}

/** The action of a command. Commander passes the command itself after arguments and flags. */
type Action<Args extends Given> = (...given: [...Args, Command]) => Promise<void>;

/** The action of a command that makes a call and prints the answer in its own way. */
export function calls<Args extends Given, Request, Answer>(
  deps: CliDeps,
  { request, call, isOnce = () => false }: Call<Args, Request, Answer>,
  print: (session: Session, answer: Answer, args: Args) => Promise<void>,
): Action<Args> {
  return work(request, deps, async (session, made, args) => {
    const { client } = session;
    const send = (options: CallOptions) => call(client, made, options);
    const answer = await (isOnce(made) ? client.callOnce(send) : client.call(send));
    await print(session, answer, args);
  });
}

/** The action of a command that prints the one thing of the answer, as it is after the call. */
export function shows<Args extends Given, Request, Answer, T>(
  deps: CliDeps,
  view: View<T>,
  { item, ...call }: Call<Args, Request, Answer> & { readonly item: (answer: Answer) => T | undefined },
): Action<Args> {
  return calls(deps, call, ({ output }, answer) => output.item(answered(item(answer)), view));
}

/** The action of a command that prints the things of every page; with a flag `limit` the first of them. */
export function lists<Args extends Given, Request extends object, Answer extends { nextPageToken: string }, T>(
  deps: CliDeps,
  view: View<T>,
  {
    request,
    call,
    items,
  }: {
    readonly request: (...args: Args) => Request;
    readonly call: (client: MadeleineClient, request: Request & PageRequest, options: CallOptions) => Promise<Answer>;
    readonly items: (answer: Answer) => readonly T[];
  },
): Action<Args> {
  return work(request, deps, async ({ client, output }, filter, args) => {
    const { limit = Number.POSITIVE_INFINITY }: ClientOptions & { readonly limit?: number } = flagsOf(args);
    const fetchPage = async (page: PageRequest) => {
      const answer = await client.call((options) => call(client, { ...filter, ...page }, options));
      return { items: items(answer), nextPageToken: answer.nextPageToken };
    };
    // One more, so that it can be said that there are more.
    const found = await allPages(fetchPage, limit + 1);
    await output.list(found.slice(0, limit), view);
    if (found.length > limit) output.notice('there are more: --limit');
  });
}

/** The action of a command that deletes what its first argument names, or what `named` makes of its arguments. */
export function deletes<Args extends Given, Request>(
  deps: CliDeps,
  { request, call, named }: Call<Args, Request, unknown> & { readonly named?: (...args: Args) => string },
): Action<Args> {
  return work(request, deps, async ({ client, output }, made, args) => {
    // Once: a repeated call would find that the thing is gone, and call that an error.
    await client.callOnce((options) => call(client, made, options));
    if (!output.json) await output.line(`deleted ${named?.(...args) ?? args[0]}`);
  });
}

/** What an answer holds; a server that leaves it out is none of ours. */
export function answered<T>(item: T | undefined): T {
  if (item === undefined) throw new CommandFailed('the server answers without what it was asked for');
  return item;
}

/** A command that lists things of a context, or of all of them. */
export function listCommand(name: string, summary: string): Command {
  return clientCommand(name, summary).option('--context <name>', 'context; "all": every context (default "default")');
}

/** A command that only has others below it; the first of them is meant where none is named. */
export function commandGroup(
  deps: CliDeps,
  { name, summary, help }: { readonly name: string; readonly summary: string; readonly help: string },
  makers: readonly ((deps: CliDeps) => Command)[],
): Command {
  const group = new Command(name).description(summary).addHelpText('after', help);
  for (const [index, make] of makers.entries()) group.addCommand(make(deps), { isDefault: index === 0 });
  return group;
}

function work<Args extends Given, Request>(
  request: (...args: Args) => Request | Promise<Request>,
  deps: CliDeps,
  run: (session: Session, made: Request, args: Args) => Promise<void>,
): Action<Args> {
  return async (...given) => {
    const args = given.slice(0, -1) as unknown as Args;
    const made = await request(...args);
    await runClient(deps, flagsOf(args), (session) => run(session, made, args));
  };
}

function flagsOf(args: Given): ClientOptions {
  return args.at(-1) as ClientOptions;
}
