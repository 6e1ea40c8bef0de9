// Topics for people.

import {
  type IdentityBuild,
  type SettingChange,
  type StoredEvents,
  Topic,
} from '../../../../generated/madeleine/v1/topic_service.js';
import { messageView } from '../../text/event-json.js';
import type { Column } from '../../text/output.js';
import { type Seconds, timestampText } from '../../text/time-text.js';
import { SETTING_COLUMNS, settingsText } from './setting-options.js';

const COLUMNS: readonly Column<Topic>[] = [
  { title: 'CONTEXT', text: ({ context }) => context },
  { title: 'TOPIC', text: ({ name }) => name },
  { title: 'REGISTERED AT', text: ({ registeredAt }) => timestampText(registeredAt) },
];
const STORED: readonly Column<Topic>[] = [
  { title: 'EVENTS', text: ({ stored }) => String(stored?.events ?? ''), right: true },
  { title: 'BYTES', text: ({ stored }) => String(stored?.bytes ?? ''), right: true },
];

export const LISTED_TOPIC = messageView(Topic, [
  ...COLUMNS,
  ...STORED,
  { title: 'RATE', text: ({ stored }) => (stored === undefined ? '' : rateText(stored)), right: true },
  { title: 'NEWEST', text: ({ stored }) => timestampText(stored?.newestAt) },
  { title: 'SETTINGS', text: ({ settings }) => (settings === undefined ? '' : settingsText(settings)) },
]);
export const TOPIC = messageView(Topic, [
  ...COLUMNS,
  ...SETTING_COLUMNS,
  { title: 'IDENTITIES', text: ({ identityBuild }) => (identityBuild === undefined ? '' : buildText(identityBuild)) },
  ...STORED,
  { title: 'COUNTED TO', text: ({ stored }) => placeText(stored?.asOfPosition, stored?.asOf) },
  { title: 'OLDEST', text: ({ stored }) => placeText(stored?.oldestPosition, stored?.oldestAt) },
  { title: 'NEWEST', text: ({ stored }) => placeText(stored?.newestPosition, stored?.newestAt) },
  { title: 'RATE', text: ({ stored }) => (stored === undefined ? '' : rateText(stored)) },
]);

function placeText(position = 0n, at?: Seconds): string {
  return position === 0n ? '' : `position ${position}, ${timestampText(at)}`;
}

function rateText({ eventsPerSecond: rate }: StoredEvents): string {
  return `${rate >= 10 || rate === 0 ? Math.round(rate) : rate.toPrecision(2)}/s`;
}

/** How far the identities are built by new description paths, and what was found. */
function buildText(build: IdentityBuild): string {
  const { endedAt, formerDescriptionPaths: former, builtTo, buildUpTo } = build;
  if (endedAt !== undefined) return `built ${timestampText(endedAt)}: ${foundText(build)}`;
  const percent = buildUpTo === 0n ? 100n : (100n * builtTo) / buildUpTo;
  const meanwhile = former.length === 0 ? 'no identities' : former.join(',');
  return `being built, ${percent} %: ${foundText(build)}; pushes obey ${meanwhile} until then`;
}

function foundText({ identified, withoutIdentity, repeated, repeatedEventIds: ids }: IdentityBuild): string {
  const named = ids.length === 0 ? '' : `: ${ids.join(', ')}${BigInt(ids.length) < repeated ? ', …' : ''}`;
  return `${identified} events have one, ${withoutIdentity} have none, ${repeated} have that of an earlier event${named}`;
}

/** A setting that changes, on one line. */
export function changeText({ path, before, after }: SettingChange): string {
  return `${path.replace(/^settings\./, '')}: ${before} -> ${after}`;
}
