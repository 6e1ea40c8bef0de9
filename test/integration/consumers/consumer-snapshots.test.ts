// Places that people keep and go back to, and the history of who moved an offset, through gRPC and the command line.

import { createConnection } from 'mysql2/promise';
import { describe, expect, it } from 'vitest';
import {
  AckStatus,
  OffsetMoveKind,
  type RestoreSnapshotRequest,
  Verdict,
} from '../../../generated/madeleine/v1/consumer_service.js';
import { Subject } from '../../../generated/madeleine/v1/event.js';
import { acknowledgements, numberOf } from '../../support/consumers/consumer.js';
import { useScenes } from '../../support/consumers/consumer-scene.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { startServer, TestClient } from '../../support/server/server.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';
import { ndjson, runToEnd } from '../cli/cli-run.js';

const suite = useServer({ advertise: 'first.example:50051' });
const scene = useScenes(suite);

const {
  OFFSET_MOVE_KIND_CREATED: CREATED,
  OFFSET_MOVE_KIND_SEEK: SEEK,
  OFFSET_MOVE_KIND_RESTORED: RESTORED,
} = OffsetMoveKind;

const consumers = () => suite.client.consumers;
const save = (consumer: string, name = 'before', by = 'anna') => consumers().saveSnapshot({ consumer, name, by });
const restore = (consumer: string, more: Partial<RestoreSnapshotRequest> = {}) =>
  consumers().restoreSnapshot({ consumer, name: 'before', ...more });
const seek = (name: string, position: bigint, more: object = {}) =>
  consumers().seekConsumer({ name, to: { at: { $case: 'afterPosition', value: position } }, ...more });
const moves = async (consumer: string) => (await consumers().listOffsetMoves({ consumer })).moves;
const snapshots = async (consumer: string) => (await consumers().listSnapshots({ consumer })).snapshots;

const UNKNOWN_CONSUMER = { status: 'NOT_FOUND', reason: 'CONSUMER_UNKNOWN' };
const UNKNOWN_SNAPSHOT = { status: 'NOT_FOUND', reason: 'SNAPSHOT_UNKNOWN', metadata: { snapshot: 'before' } };
const ELSEWHERE = { status: 'UNAVAILABLE', reason: 'OWNED_ELSEWHERE', metadata: { owner: 'first.example:50051' } };

describe('a snapshot of a consumer', () => {
  it('brings it back to what was open then: what was done above the offset is not delivered again', async () => {
    const { consumer, subscribe, push, ack, ackStatuses, get } = scene();
    const positions = await push(6);
    const subscriber = subscribe();
    const deliveries = await subscriber.first(6);
    const [one, two, three, four] = deliveries;
    await ack([two, four].flatMap((delivery) => delivery ?? []));
    const { snapshot, replaced } = await save(consumer);
    expect(replaced).toBeUndefined();
    expect(snapshot).toMatchObject({ name: 'before', by: 'anna', doneTo: positions[3], generation: 1n });
    expect(snapshot?.offset).toBeLessThan(positions[0] ?? 0n);
    await ack([one, three].flatMap((delivery) => delivery ?? []));
    expect((await get()).offset).toBe(positions[3]);
    const restored = await restore(consumer, { by: 'bob', reason: '1.2 lost mails' });
    expect(restored).toMatchObject({ snapshot, formerOffset: positions[3], offset: snapshot?.offset, affected: 2n });
    // The live subscriber goes on from there; what it had is stale.
    const again = (await subscriber.first(10)).slice(6);
    expect(again.map(numberOf)).toEqual([1, 3, 5, 6]);
    expect(await ackStatuses(acknowledgements(deliveries.slice(4)))).toEqual(Array(2).fill(AckStatus.ACK_STATUS_STALE));
    await ack(again);
    const after = await get();
    expect(after.generation).toBe(2n);
    expect(after.offset).toBeGreaterThanOrEqual(positions[5] ?? 0n);
    expect(subscriber.deliveries).toHaveLength(10);
  });

  it('takes it forward as well, and only tells what it would do if asked to', async () => {
    const { consumer, subscribe, push, ack, get } = scene();
    const positions = await push(4);
    const subscriber = subscribe();
    await ack(await subscriber.first(4));
    const { snapshot } = await save(consumer);
    await seek(consumer, positions[0] ?? 0n);
    await subscriber.first(7);
    const before = await get();
    const told = await restore(consumer, { dryRun: true });
    expect(told).toMatchObject({ formerOffset: positions[0], offset: snapshot?.offset, affected: 3n });
    expect(told).toMatchObject({ affectedIsMinimum: false, offsetOnly: false });
    expect(await get()).toMatchObject({ generation: before.generation, offset: before.offset });
    expect((await moves(consumer))[0]?.kind).toBe(SEEK);
    expect(await restore(consumer)).toEqual(told);
    const after = await get();
    expect(after).toMatchObject({ generation: 3n, pending: 0n });
    expect(after.offset).toBeGreaterThanOrEqual(snapshot?.offset ?? 0n);
  });

  it('at the beginning brings everything again', async () => {
    const { consumer, settings, subscribe, push, ack } = scene();
    await consumers().createConsumer({ name: consumer, settings });
    await seek(consumer, 0n);
    const { snapshot } = await save(consumer);
    expect(snapshot).toMatchObject({ offset: 0n, doneTo: 0n });
    await push(2);
    const subscriber = subscribe();
    await ack(await subscriber.first(2));
    await restore(consumer);
    expect((await subscriber.first(4)).map(numberOf)).toEqual([1, 2, 1, 2]);
  });

  it('keeps parked what was parked then, and delivers what was parked since', async () => {
    const { consumer, subscribe, push, reject, get } = scene();
    const positions = await push(3);
    const subscriber = subscribe();
    const [, second, third] = await subscriber.first(3);
    await reject(
      [second].flatMap((one) => one ?? []),
      { verdict: Verdict.VERDICT_PARK, code: 'THEN' },
    );
    await save(consumer);
    await reject(
      [third].flatMap((one) => one ?? []),
      { verdict: Verdict.VERDICT_PARK, code: 'SINCE' },
    );
    await restore(consumer);
    expect((await subscriber.first(5)).slice(3).map(numberOf)).toEqual([1, 3]);
    const { events } = await consumers().listParkedEvents({ consumer });
    expect(events.map(({ event, code }) => [event?.position, code])).toEqual([[positions[1], 'THEN']]);
    expect((await get()).parked).toBe(1n);
  });

  it('counts with its offset alone once the consumer selects otherwise', async () => {
    const { consumer, settings, subscribe, push, ack, topic } = scene();
    await push(3);
    const subscriber = subscribe();
    const deliveries = await subscriber.first(3);
    await ack(deliveries.slice(1));
    await save(consumer);
    await subscriber.cancel();
    const wider = { ...settings, filter: { ...settings.filter, topics: [topic, `${topic}-more`] } } as never;
    await consumers().updateConsumer({ name: consumer, settings: wider, updateMask: ['filter'] });
    await seek(consumer, deliveries.at(-1)?.event?.position ?? 0n);
    expect(await restore(consumer, { dryRun: true })).toMatchObject({ offsetOnly: true, affected: 3n });
    expect(await restore(consumer)).toMatchObject({ offsetOnly: true });
    const next = subscribe({ settings: undefined as never });
    expect((await next.first(3)).map(numberOf)).toEqual([1, 2, 3]);
  });

  it('is replaced by one of its name, and the answer has the former one', async () => {
    const { consumer, subscribe, push, ack } = scene();
    await push(2);
    const subscriber = subscribe();
    const deliveries = await subscriber.first(2);
    const { snapshot: first } = await save(consumer);
    await ack(deliveries);
    const { snapshot: second, replaced } = await save(consumer, 'before', 'bob');
    expect(replaced).toEqual(first);
    expect(second?.offset).toBeGreaterThan(first?.offset ?? 0n);
    expect(await snapshots(consumer)).toEqual([second]);
  });

  it('is one of a hundred at most; a replaced or deleted one makes no difference', async () => {
    const { consumer, settings } = scene();
    await consumers().createConsumer({ name: consumer, settings });
    const names = Array.from({ length: 100 }, (_, n) => `s${String(n).padStart(3, '0')}`);
    for (const name of names) await save(consumer, name);
    const full = { status: 'RESOURCE_EXHAUSTED', reason: 'QUOTA' };
    expect(await refusalOf(save(consumer, 'one more'))).toMatchObject(full);
    await save(consumer, 's007');
    expect(await snapshots(consumer)).toHaveLength(100);
    await consumers().deleteSnapshot({ consumer, name: 's007' });
    await save(consumer, 'one more');
    const together = await Promise.allSettled(['x', 'y'].map((name) => save(consumer, name)));
    expect(together.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    const { snapshots: page, nextPageToken } = await consumers().listSnapshots({ consumer, pageSize: 60 });
    const { snapshots: rest } = await consumers().listSnapshots({ consumer, pageSize: 60, pageToken: nextPageToken });
    const expected = [...names.filter((name) => name !== 's007'), 'one more'].sort();
    expect([...page, ...rest].map(({ name }) => name)).toEqual(expected);
  });

  it('can be saved and restored while the consumer is paused, and delivers once that is over', async () => {
    const { consumer, subscribe, push, ack } = scene();
    await push(2);
    const subscriber = subscribe();
    const deliveries = await subscriber.first(2);
    await save(consumer);
    await ack(deliveries);
    await consumers().pauseConsumer({ consumer });
    await restore(consumer);
    expect(subscriber.deliveries).toHaveLength(2);
    await consumers().resumeConsumer({ consumer });
    expect((await subscriber.first(4)).map(numberOf)).toEqual([1, 2, 1, 2]);
  });

  it('leaves an entry of the audit when it is saved, replaced, restored and deleted', async () => {
    const { consumer, settings } = scene();
    await consumers().createConsumer({ name: consumer, settings });
    await save(consumer);
    await save(consumer, 'before', 'bob');
    await restore(consumer, { dryRun: true });
    await restore(consumer, { by: 'carl', reason: 'all of it' });
    await consumers().deleteSnapshot({ consumer, name: 'before', by: 'dora' });
    const { events } = await suite.client.events.listEvents({
      filter: { topics: ['madeleine.audit'] },
      pageSize: 1_000,
    });
    const entries = events
      .map(({ entityType, subject, payload }) => ({
        entityType,
        subject,
        ...(payload?.body?.value as { consumer: string }),
      }))
      .filter((entry) => entry.consumer === consumer)
      .slice(1);
    const place = { offset: expect.any(Number), done_to: 0, generation: 1 };
    const of = { context: 'default', consumer, snapshot: 'before', entityType: 'snapshot' };
    const { SUBJECT_CREATED, SUBJECT_UPDATED, SUBJECT_DELETED } = Subject;
    expect(entries).toEqual([
      { ...of, call: 'SaveSnapshot', by: 'anna', subject: SUBJECT_CREATED, after: place },
      { ...of, call: 'SaveSnapshot', by: 'bob', subject: SUBJECT_UPDATED, before: place, after: place },
      {
        ...{ call: 'RestoreSnapshot', by: 'carl', subject: SUBJECT_UPDATED, context: 'default', consumer },
        ...{ entityType: 'consumer', before: { offset: expect.any(Number), generation: 1 } },
        after: { offset: expect.any(Number), generation: 2, snapshot: 'before', reason: 'all of it' },
      },
      { ...of, call: 'DeleteSnapshot', by: 'dora', subject: SUBJECT_DELETED, before: place },
    ]);
  });

  it('is refused for what there is not, and changes nothing then', async () => {
    const { consumer, settings } = scene();
    for (const call of [
      () => save(consumer),
      () => restore(consumer),
      () => consumers().deleteSnapshot({ consumer, name: 'before' }),
      () => consumers().listSnapshots({ consumer }),
      () => consumers().listOffsetMoves({ consumer }),
    ])
      expect(await refusalOf(call())).toMatchObject(UNKNOWN_CONSUMER);
    await consumers().createConsumer({ name: consumer, settings });
    expect(await refusalOf(restore(consumer))).toMatchObject(UNKNOWN_SNAPSHOT);
    expect(await refusalOf(restore(consumer, { dryRun: true }))).toMatchObject(UNKNOWN_SNAPSHOT);
    expect(await refusalOf(consumers().deleteSnapshot({ consumer, name: 'before' }))).toMatchObject(UNKNOWN_SNAPSHOT);
    const invalid = (field: string) => ({ status: 'INVALID_ARGUMENT', reason: 'FIELD_INVALID', fields: [field] });
    expect(await refusalOf(save(consumer, ''))).toMatchObject(invalid('name'));
    expect(await refusalOf(save(consumer, ' before'))).toMatchObject(invalid('name'));
    expect(await refusalOf(save(consumer, 'x'.repeat(256)))).toMatchObject(invalid('name'));
    expect(await refusalOf(save(consumer, 'before', 'x'.repeat(256)))).toMatchObject(invalid('by'));
    expect(await refusalOf(restore(consumer, { reason: 'x'.repeat(1_025) }))).toMatchObject(invalid('reason'));
    expect(await refusalOf(seek(consumer, 0n, { reason: 'x'.repeat(1_025) }))).toMatchObject(invalid('reason'));
    expect(await snapshots(consumer)).toEqual([]);
    expect(await moves(consumer)).toHaveLength(1);
  });

  it('of a place that the log does not have is refused', async () => {
    const { consumer, settings } = scene();
    await consumers().createConsumer({ name: consumer, settings });
    await save(consumer);
    const connection = await createConnection(suite.database.url);
    const ahead = `UPDATE consumer_snapshot s JOIN consumer c ON c.id = s.consumer_id SET s.acked_to = s.acked_to + 1000000
      WHERE c.name = ?`;
    await connection.query(ahead, [Buffer.from(consumer)]);
    await connection.end();
    const beyond = { status: 'FAILED_PRECONDITION', reason: 'POSITION_BEYOND_HEAD', fields: ['name'] };
    expect(await refusalOf(restore(consumer, { dryRun: true }))).toMatchObject(beyond);
    expect(await refusalOf(restore(consumer))).toMatchObject(beyond);
    expect(await moves(consumer)).toHaveLength(1);
  });

  it('goes with its consumer', async () => {
    const { consumer, settings } = scene();
    await consumers().createConsumer({ name: consumer, settings });
    await save(consumer);
    await consumers().deleteConsumer({ name: consumer });
    await consumers().createConsumer({ name: consumer, settings });
    expect(await snapshots(consumer)).toEqual([]);
    expect(await refusalOf(restore(consumer))).toMatchObject(UNKNOWN_SNAPSHOT);
  });
});

describe('a snapshot and other instances', () => {
  const second = useServerBeside(suite, { advertise: 'second.example:50051' });

  it('is listed by all, and changed by the one that runs the consumer', async () => {
    const { consumer, subscribe } = scene();
    await subscribe().opened();
    const { snapshot } = await save(consumer);
    const others = second.client.consumers;
    expect((await others.listSnapshots({ consumer })).snapshots).toEqual([snapshot]);
    expect((await others.listOffsetMoves({ consumer })).moves).toEqual(await moves(consumer));
    expect(await refusalOf(others.saveSnapshot({ consumer, name: 'x' }))).toMatchObject(ELSEWHERE);
    expect(await refusalOf(others.restoreSnapshot({ consumer, name: 'before' }))).toMatchObject(ELSEWHERE);
    expect(await refusalOf(others.deleteSnapshot({ consumer, name: 'before' }))).toMatchObject(ELSEWHERE);
  });

  it('outlasts the instance that saved it', async () => {
    const { consumer, subscribe, push, ack, settings } = scene();
    await push(4);
    const server = await startServer({ databaseUrl: suite.database.url });
    const client = new TestClient(server.address);
    const { deliveries } = await client.consumers.fetch({ consumer, settings, limit: 4 } as never);
    expect(deliveries).toHaveLength(4);
    await client.consumers.acknowledge({ consumer, acknowledgements: acknowledgements(deliveries.slice(1, 3)) });
    await client.consumers.saveSnapshot({ consumer, name: 'before' });
    const rest = acknowledgements([...deliveries.slice(0, 1), ...deliveries.slice(3)]);
    await client.consumers.acknowledge({ consumer, acknowledgements: rest });
    client.close();
    await server.stop();
    await restore(consumer);
    const again = await subscribe().first(2);
    expect(again.map(numberOf)).toEqual([1, 4]);
    await ack(again);
  });
});

describe('the history of an offset', () => {
  it('has each move with who, when, from where, where to and why, the newest first', async () => {
    const { consumer, settings, subscribe, push, ack } = scene();
    const positions = await push(2);
    await consumers().createConsumer({ name: consumer, settings });
    const [created] = await moves(consumer);
    expect(created).toMatchObject({ kind: CREATED, formerOffset: undefined, generation: 1n, snapshot: '' });
    await save(consumer);
    const subscriber = subscribe();
    await ack(await subscriber.first(2));
    const { formerOffset } = await seek(consumer, positions[0] ?? 0n, { reason: 'one more time' });
    await restore(consumer, { by: 'bob', reason: 'all of it' });
    await seek(consumer, positions[1] ?? 0n, { dryRun: true });
    const [second, first, last, ...more] = await moves(consumer);
    expect(more).toEqual([]);
    expect(last).toEqual(created);
    expect(first).toMatchObject({
      ...{ kind: SEEK, reason: 'one more time', formerOffset, offset: positions[0], generation: 2n, snapshot: '' },
    });
    expect(second).toMatchObject({
      ...{ kind: RESTORED, by: 'bob', reason: 'all of it', snapshot: 'before', generation: 3n },
      ...{ formerOffset: positions[0], offset: created?.offset },
    });
    const times = [created, first, second].map(
      (move) => Number(move?.movedAt?.seconds) * 1e9 + (move?.movedAt?.nanos ?? 0),
    );
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  it('is kept over the end of a consumer, for who creates it again', async () => {
    const { consumer, settings, push } = scene();
    const [position = 0n] = await push(1);
    await consumers().createConsumer({ name: consumer, settings });
    await seek(consumer, position);
    await consumers().deleteConsumer({ name: consumer });
    const start = { at: { $case: 'afterPosition' as const, value: position - 1n } };
    await consumers().createConsumer({ name: consumer, settings, start });
    const history = await moves(consumer);
    expect(history.map(({ kind, generation }) => [kind, generation])).toEqual([
      [CREATED, 3n],
      [SEEK, 2n],
      [CREATED, 1n],
    ]);
    expect(history[0]).toMatchObject({ formerOffset: position, offset: position - 1n });
  });

  it('has no creation of what goes with its last member', async () => {
    const { consumer, subscribe, push } = scene({ ephemeral: true });
    const [position = 0n] = await push(1);
    await subscribe().first(1);
    expect(await moves(consumer)).toEqual([]);
    await seek(consumer, position - 1n);
    expect((await moves(consumer)).map(({ kind }) => kind)).toEqual([SEEK]);
  });

  it('has one creation, however many create the consumer at once or subscribe to it', async () => {
    const { consumer, settings, subscribe } = scene();
    const creating = Array.from({ length: 5 }, () => consumers().createConsumer({ name: consumer, settings }));
    const subscribers = ['a', 'b', 'c'].map((member) => subscribe({ member }));
    await Promise.all(creating);
    await Promise.all(subscribers.map((subscriber) => subscriber.opened()));
    expect((await moves(consumer)).map(({ kind }) => kind)).toEqual([CREATED]);
  });
});

describe('places on the command line', () => {
  const cli = (...argv: string[]) => runToEnd(argv, { server: suite.server.address });

  it('are kept, listed, gone back to and deleted', async () => {
    const { consumer, settings, push } = scene();
    const [position = 0n] = await push(1);
    await consumers().createConsumer({ name: consumer, settings });
    const saved = await cli('consumers', 'snapshots', 'save', consumer, 'before 1.2', '--by', 'anna');
    expect(saved).toMatchObject({ code: 0, stdout: expect.stringMatching(/^snapshot before 1\.2: offset \d+\n$/) });
    const again = await cli('consumers', 'snapshots', 'save', consumer, 'before 1.2', '--by', 'anna');
    expect(again.stdout).toMatch(/^snapshot before 1\.2: offset \d+; it was at \d+, saved \S+Z\n$/);
    const { stdout: list } = await cli('consumers', 'snapshots', 'list', consumer);
    expect(list).toMatch(/^SNAPSHOT +OFFSET +DONE TO +GENERATION +SAVED AT +BY\nbefore 1\.2 .* 1 {2}\S+Z {2}anna\n$/);
    expect(ndjson((await cli('consumers', 'snapshots', 'list', consumer, '--json')).stdout)).toMatchObject([
      { name: 'before 1.2', by: 'anna' },
    ]);
    await cli('consumers', 'seek', consumer, `position:${position}`, '--reason', 'skip it');
    const restored = await cli(
      ...['consumers', 'snapshots', 'restore', consumer, 'before 1.2', '--reason', 'it was wrong', '--by', 'bob'],
    );
    expect(restored.stdout).toMatch(/^offset \d+ -> \d+: 1 matching event delivered again\n$/);
    const { stdout: history } = await cli('consumers', 'moves', consumer);
    const [head, newest, former, first] = history.split('\n');
    expect(head).toMatch(/^MOVED AT +KIND +FROM +TO +GENERATION +SNAPSHOT +BY +REASON$/);
    expect(newest).toMatch(/ restored .* {2}before 1\.2 {2}bob {2,}it was wrong$/);
    expect(former).toMatch(/ seek .* {2}- .* {2}skip it$/);
    expect(first).toMatch(/ created {2,}- .* 1 {2}- /);
    expect(ndjson((await cli('consumers', 'moves', consumer, '--json', '--limit', '1')).stdout)).toMatchObject([
      { kind: 'OFFSET_MOVE_KIND_RESTORED', by: 'bob', snapshot: 'before 1.2' },
    ]);
    expect(await cli('consumers', 'snapshots', 'delete', consumer, 'before 1.2')).toMatchObject({
      ...{ code: 0, stdout: 'deleted snapshot before 1.2\n' },
    });
    const gone = await cli('consumers', 'snapshots', 'restore', consumer, 'before 1.2');
    expect(gone).toMatchObject({ code: 1, stderr: expect.stringContaining('SNAPSHOT_UNKNOWN') });
  });
});
