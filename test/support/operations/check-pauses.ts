// What a pause of a consumer has to hold to: who comes in the middle of one gets nothing before its end.

import type { ConsumerAccount } from './consumer-account.js';

/**
 * What a member was given before may still be on its way to it; whose stream or call began when the pause was answered, and who was given
 * something before its end was asked for, was given it in the pause. A call of Fetch that repeats another one gets what that leased.
 */
export function pauseFaults({ record }: ConsumerAccount): string[] {
  return record.pauses.flatMap(({ began, ended }) =>
    record.deliveries
      .filter(({ at, call }) => !call.repeats && call.began > began && at < ended)
      .map(({ event, call }) => `${event.position} came to ${call.member} in a pause (${began} to ${ended})`),
  );
}
