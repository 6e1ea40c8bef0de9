// The flags that select events, shared by what reads, watches, and makes consumers.

import type { Command } from 'commander';
import type { EventFilter, EventStatus, Subject } from '../../../../generated/madeleine/v1/event.js';
import { ENVELOPE, wireName } from '../../../domain/events/envelope.js';
import { LIST_FIELDS, type ListField } from '../../../domain/events/event-filter.js';
import { collect, defined, description, entryStatuses, property, subjects } from '../../text/values.js';

/** What selects events, as flags give it. */
export type FilterFlags = { readonly [Field in Exclude<ListField, 'subject'>]?: readonly string[] } & {
  readonly subject?: readonly Subject[];
  readonly status?: readonly EventStatus[];
  readonly property?: Readonly<Record<string, string>>;
  readonly description?: Readonly<Record<string, unknown>>;
};

/** What each flag takes, and its help. */
const FLAGS = {
  topic: ['name', 'topic'],
  stream: ['name', 'stream'],
  issuer: ['name', 'issuer'],
  sessionId: ['text', 'conversation'],
  correlationId: ['text', 'message id, of which the answers are wanted'],
  to: ['name', 'addressee'],
  replyTo: ['name', 'consumer, which awaits the answer'],
  subject: ['subject', 'subject'],
  tag: ['text', 'tag'],
  entityType: ['text', 'class of entities'],
  organization: ['text', 'organization'],
  unit: ['text', 'unit of an organization'],
} as const satisfies Record<ListField, readonly [takes: string, help: string]>;

export function addFilterFlags(command: Command): Command {
  for (const field of LIST_FIELDS) {
    const [takes, help] = FLAGS[field];
    const flag = `--${wireName(field).replaceAll('_', '-')} <${takes}>`;
    const words = `only this ${help}; repeatable`;
    if (field === 'subject') command.option(flag, words, subjects);
    else command.option(flag, words, collect);
  }
  return command
    .option('--property <key=value>', 'only what has this property; repeatable, all have to be there', property)
    .option(
      '--status <status>',
      'occurred (default), invalidated, expired or transferred entries; repeatable',
      entryStatuses,
    )
    .option('--description <json>', 'only what has this in its payload', description);
}

/** The filter that the flags say; undefined: they say nothing. */
export function filterOf(flags: FilterFlags): Partial<EventFilter> | undefined {
  const lists = LIST_FIELDS.map((field) => [ENVELOPE[field].filter.many, flags[field]] as const);
  const { status: statuses, property: properties, description: part } = flags;
  const filter = defined({ ...Object.fromEntries(lists), statuses, properties, description: part });
  return Object.keys(filter).length === 0 ? undefined : (filter as Partial<EventFilter>);
}
