// The events of the demo: every example payload of the npm package @octokit/webhooks-examples, as GitHub sent them.

import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { type NewEvent, Subject } from '../generated/madeleine/v1/event.js';

/** What the mapping needs of a payload; everything else is carried along untouched. */
export interface WebhookPayload {
  readonly action?: string;
  readonly repository?: { readonly full_name: string };
  readonly sender?: { readonly login: string };
  readonly organization?: { readonly login: string };
}

/** One kind of webhook with its examples, as the package has them. */
export interface Webhook {
  readonly name: string;
  readonly examples: readonly WebhookPayload[];
}

const SUBJECTS: Readonly<Record<string, Subject>> = {
  created: Subject.SUBJECT_CREATED,
  edited: Subject.SUBJECT_UPDATED,
  deleted: Subject.SUBJECT_DELETED,
};

/** The package's webhooks. */
export function loadWebhooks(): readonly Webhook[] {
  return createRequire(import.meta.url)('@octokit/webhooks-examples') as readonly Webhook[];
}

/**
 * One event a payload: the topic is the webhook's name, the stream the repository, the issuer the sender.
 *
 * A stream has one writer, so a repository with several senders gets a stream for each. A payload without a sender was
 * issued by `github`, one without a repository belongs to no stream. The message id is made from the content: pushing the
 * same payloads again stores nothing twice.
 */
export function webhookEvents(webhooks: readonly Webhook[], context: string): readonly Partial<NewEvent>[] {
  const senders = sendersByRepository(webhooks);
  return webhooks.flatMap(({ name, examples }) =>
    examples.map((payload, index) => {
      const issuer = issuerOf(payload);
      const text = JSON.stringify(payload);
      return {
        context,
        topic: name,
        stream: streamOf(payload, senders),
        issuer,
        messageId: contentUuid(`${name}\n${index}\n${text}`),
        subject: SUBJECTS[payload.action ?? ''] ?? Subject.SUBJECT_UNSPECIFIED,
        tag: payload.action ?? '',
        organization: payload.organization?.login ?? '',
        payload: { contentType: 'application/json', body: { $case: 'data', value: Buffer.from(text) } },
      };
    }),
  );
}

function issuerOf(payload: WebhookPayload): string {
  return payload.sender?.login ?? 'github';
}

function sendersByRepository(webhooks: readonly Webhook[]): ReadonlyMap<string, ReadonlySet<string>> {
  const senders = new Map<string, Set<string>>();
  for (const payload of webhooks.flatMap(({ examples }) => examples)) {
    const repository = payload.repository?.full_name;
    if (repository === undefined) continue;
    senders.set(repository, (senders.get(repository) ?? new Set()).add(issuerOf(payload)));
  }
  return senders;
}

function streamOf(payload: WebhookPayload, senders: ReadonlyMap<string, ReadonlySet<string>>): string {
  const repository = payload.repository?.full_name;
  if (repository === undefined) return '';
  return (senders.get(repository)?.size ?? 0) > 1 ? `${repository}#${issuerOf(payload)}` : repository;
}

/** A UUID (version 8: its bits are the application's) that is the same for the same content. */
function contentUuid(content: string): string {
  const hash = createHash('sha256').update(content).digest();
  hash[6] = 0x80 | ((hash[6] ?? 0) & 0x0f);
  hash[8] = 0x80 | ((hash[8] ?? 0) & 0x3f);
  const hex = hash.toString('hex', 0, 16);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
