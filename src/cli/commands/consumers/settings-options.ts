// The flags of a consumer's settings, shared by subscribe and `consumers create|update`.

import type { Command } from 'commander';
import type {
  ConsumerFilter,
  ConsumerSettings,
  Ordering,
  RetryBackoff,
} from '../../../../generated/madeleine/v1/consumer_service.js';
import type { EventStatus, Subject } from '../../../../generated/madeleine/v1/event.js';
import type { Seconds } from '../../text/time-text.js';
import {
  collect,
  count,
  defined,
  description,
  duration,
  entryStatuses,
  ordering,
  share,
  subjects,
} from '../../text/values.js';

export interface SettingsFlags {
  readonly topic?: readonly string[];
  readonly stream?: readonly string[];
  readonly issuer?: readonly string[];
  readonly subject?: readonly Subject[];
  readonly tag?: readonly string[];
  readonly entityType?: readonly string[];
  readonly status?: readonly EventStatus[];
  readonly description?: Readonly<Record<string, unknown>>;
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
  return command
    .option('--topic <name>', 'only this topic; repeatable', collect)
    .option('--stream <name>', 'only this stream; repeatable', collect)
    .option('--issuer <name>', 'only this issuer; repeatable', collect)
    .option('--subject <subject>', 'only this subject; repeatable', subjects)
    .option('--tag <text>', 'only this tag; repeatable', collect)
    .option('--entity-type <text>', 'only this class of entities; repeatable', collect)
    .option(
      '--status <status>',
      'occurred (default), invalidated, expired or transferred entries; repeatable',
      entryStatuses,
    )
    .option('--description <json>', 'only what has this in its payload', description)
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
  const [filter, retryBackoff] = [filterOf(flags), retryBackoffOf(flags)];
  const settings = defined({ filter, ackTimeout, maxAttempts, ordering: order, ignoreOwn, ephemeral, retryBackoff });
  return Object.keys(settings).length === 0 ? undefined : settings;
}

/** The names of the given settings in the contract's words, for an update mask. */
export function settingsMask(settings: Partial<ConsumerSettings>): string[] {
  return Object.keys(settings).map((key) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
}

/** A back-off is one setting: what is not given of it has its default. */
function retryBackoffOf({ retryInitial, retryMax, retryJitter }: SettingsFlags): RetryBackoff | undefined {
  const given = [retryInitial, retryMax, retryJitter].some((part) => part !== undefined);
  return given ? { initial: retryInitial, max: retryMax, jitter: retryJitter } : undefined;
}

function filterOf(flags: SettingsFlags): ConsumerFilter | undefined {
  const { topic = [], stream = [], issuer = [], subject = [], tag = [], entityType = [], status = [] } = flags;
  const lists = [topic, stream, issuer, subject, tag, entityType, status];
  if (flags.description === undefined && lists.every((list) => list.length === 0)) return undefined;
  return {
    topics: [...topic],
    streams: [...stream],
    issuers: [...issuer],
    subjects: [...subject],
    tags: [...tag],
    entityTypes: [...entityType],
    statuses: [...status],
    description: flags.description,
  };
}
