// grpcurl itself, as people use it: it learns everything by reflection, comments and the details of errors too.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { useServer } from '../support/server/suite.js';
import { find } from './tools.js';

const GRPCURL = find('grpcurl');
const suite = useServer();

async function grpcurl(options: readonly string[], ...words: string[]): Promise<{ stdout: string; stderr: string }> {
  const argv = ['-plaintext', ...options, suite.server.address, ...words];
  return promisify(execFile)(GRPCURL ?? '', argv).catch((error: { stdout: string; stderr: string }) => error);
}

describe.skipIf(GRPCURL === undefined)(`grpcurl${GRPCURL === undefined ? ' (not built: no Go here)' : ''}`, () => {
  it('lists services', async () => {
    const { stdout } = await grpcurl([], 'list');
    expect(stdout.split('\n')).toEqual(
      expect.arrayContaining(['grpc.health.v1.Health', 'madeleine.v1.EventService', 'madeleine.v1.ConsumerService']),
    );
  });

  it.each([
    ['madeleine.v1.EventService', 'Pushes events and reads the log.'],
    ['madeleine.v1.EventService.GetEvent', 'Returns one event as it is now'],
    ['madeleine.v1.Event', 'Dense number in the stream, from 1; 0 without a stream.'],
    ['madeleine.v1.Event.sequence', 'Dense number in the stream, from 1; 0 without a stream.'],
    // grpcurl shows no comment of a oneof.
    ['madeleine.v1.Payload.body', 'oneof body {'],
    ['madeleine.v1.Outcome', 'It ended one or more waits.'],
    ['madeleine.v1.OUTCOME_SATISFIED', 'It ended one or more waits.'],
    ['madeleine.v1.Outcome.OUTCOME_SATISFIED', 'It ended one or more waits.'],
    ['madeleine.v1.CallbackService.OnEvent', 'Tells that an event ended.'],
    ['google.rpc.ErrorInfo', 'reason'],
    ['google.rpc.Status', 'details'],
    ['google.protobuf.Timestamp', 'seconds'],
  ])('describes %s', async (symbol, comment) => {
    const { stdout, stderr } = await grpcurl([], 'describe', symbol);
    expect(stderr).toBe('');
    expect(stdout).toContain(comment);
  });

  it('shows the reason of an error, the fields at fault, and when to come again', async () => {
    const { stderr } = await grpcurl(['-d', '{"event": {"topic": "orders"}}'], 'madeleine.v1.EventService/PushEvent');
    expect(stderr).toContain('Code: InvalidArgument');
    for (const text of ['"reason": "FIELD_INVALID"', '"domain": "madeleine"', '"field": "event.issuer"'])
      expect(stderr.replaceAll(/":\s*"/g, '": "')).toContain(text);
  });

  it('shows them as JSON too', async () => {
    const options = ['-format-error', '-d', '{"id": "999999999"}'];
    const { stderr } = await grpcurl(options, 'madeleine.v1.EventService/GetEvent');
    const { details } = JSON.parse(stderr.slice(stderr.indexOf('{')));
    expect(details).toEqual([
      expect.objectContaining({ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'EVENT_UNKNOWN' }),
    ]);
  });
});
