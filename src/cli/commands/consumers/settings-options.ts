// The flags of a consumer's settings, shared by subscribe and `consumers create|update`.

import type { Command } from 'commander';
import {
  ConsumerFilter,
  type ConsumerSettings,
  type Ordering,
  type RetryBackoff,
} from '../../../../generated/madeleine/v1/consumer_service.js';
import { EventFilter } from '../../../../generated/madeleine/v1/event.js';
import type { Seconds } from '../../text/time-text.js';
import { count, defined, duration, ordering, share } from '../../text/values.js';
import { addFilterFlags, type FilterFlags, filterOf } from '../filters/filter-options.js';

export interface SettingsFlags extends FilterFlags {
  readonly ackTimeout?: Seconds;
  readonly maxAttempts?: number;
  readonly ordering?: Ordering;
  readonly ignoreOwn?: boolean;
  readonly ephemeral?: boolean;
  readonly retryInitial?: Seconds;
  readonly retryMax?: Seconds;
  readonly retryJitter?: number;
}

export function addSettingsFlags(command: Command): Command {
  return addFilterFlags(command)
    .option('--ack-timeout <duration>', 'deliver again what is not acknowledged within this (default 60s)', duration)
    .option('--max-attempts <n>', 'deliveries before an event is parked (default 10)', count)
    .option(
      '--retry-initial <duration>',
      'delay of the first retry of what is rejected without one (default 1s)',
      duration,
    )
    .option('--retry-max <duration>', 'its bound, as it doubles with each further attempt (default 5m)', duration)
    .option('--retry-jitter <share>', 'share of each delay that is left to chance, 0 to 1 (default 0.5)', share)
    .option('--ordering <order>', 'by-stream (default) or none', ordering)
    .option('--ignore-own', "pass over events of the consumer's own name")
    .option('--no-ignore-own', 'do not (default)')
    .option('--ephemeral', 'the consumer goes with its last member')
    .option('--no-ephemeral', 'it stays (default)');
}

/** The settings that were given; undefined if none was, which means as stored. */
export function settingsOf(flags: SettingsFlags): Partial<ConsumerSettings> | undefined {
  const { ackTimeout, maxAttempts, ordering: order, ignoreOwn, ephemeral } = flags;
  const [selection, retryBackoff] = [selectionOf(filterOf(flags)), retryBackoffOf(flags)];
  const settings = defined({ ackTimeout, maxAttempts, ordering: order, ignoreOwn, ephemeral, retryBackoff });
  const given = { ...selection, ...settings };
  return Object.keys(given).length === 0 ? undefined : given;
}

/** The settings to change: a filter by `where`, which can replace any other. */
export function changedSettings(flags: SettingsFlags): Partial<ConsumerSettings> {
  const { filter: _, ...settings } = settingsOf(flags) ?? {};
  const where = filterOf(flags);
  return where === undefined ? settings : { ...settings, where: EventFilter.fromPartial(where) };
}

/** What can be said by `filter` is said by it: a server that does not know `where` would make a consumer of every event. */
function selectionOf(filter: Partial<EventFilter> | undefined): Partial<ConsumerSettings> {
  if (filter === undefined) return {};
  const isFormer = Object.keys(filter).every((member) => member in FORMER);
  return isFormer ? { filter: ConsumerFilter.fromPartial(filter) } : { where: EventFilter.fromPartial(filter) };
}

const FORMER = ConsumerFilter.create();

/** The names of the given settings in the contract's words, for an update mask. */
export function settingsMask(settings: Partial<ConsumerSettings>): string[] {
  return Object.keys(settings).map((key) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
}

/** A back-off is one setting: what is not given of it has its default. */
function retryBackoffOf({ retryInitial, retryMax, retryJitter }: SettingsFlags): RetryBackoff | undefined {
  const given = [retryInitial, retryMax, retryJitter].some((part) => part !== undefined);
  return given ? { initial: retryInitial, max: retryMax, jitter: retryJitter } : undefined;
}
