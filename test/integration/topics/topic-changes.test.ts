// What becomes of a registration: what a call would change, and changes; on several instances at once; and what it leaves in the audit.

import { randomUUID } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { Subject } from '../../../generated/madeleine/v1/event.js';
import { Outcome } from '../../../generated/madeleine/v1/event_service.js';
import { ShapeCatalogCache } from '../../../src/engine/group/shape-catalog-cache.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { jsonPayload, newEvent } from '../../support/events/builders.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';
import { withoutStored } from '../../support/topics/registered.js';
import { waitUntil } from '../../support/wait-until.js';
import { ndjson, runToEnd } from '../cli/cli-run.js';

const suite = useServer();
const other = useServerBeside(suite);

const PATHS = 'settings.description_paths';
const newTopic = () => `topic ${randomUUID()}`;
const topics = () => suite.client.topics;

async function registered(...descriptionPaths: string[]): Promise<string> {
  const name = newTopic();
  await topics().registerTopic({ name, settings: { descriptionPaths } });
  return name;
}

const update = (name: string, descriptionPaths: string[], client = suite.client) =>
  client.topics.updateTopic({ name, settings: { descriptionPaths }, updateMask: ['description_paths'], by: 'anna' });
const push = (topic: string, payload: object, client = suite.client) =>
  client.events.pushEvent({ event: newEvent({ topic, payload: jsonPayload(payload) }) });
const pathsOf = async (name: string) => (await topics().getTopic({ name })).topic?.settings?.descriptionPaths;

/** What is kept of calls about the topic, oldest first: so many entries, which the other instance may have made a moment ago. */
function audited(name: string, count: number) {
  const filter = { topics: ['madeleine.audit'], description: { topic: name } };
  const entries = async () => {
    const { events } = await suite.client.events.listEvents({ filter, pageSize: 1_000 });
    return events.length < count ? undefined : events;
  };
  return waitUntil(entries, { what: `there are ${count} entries` }).then((events) =>
    events.map(({ payload, subject, entityType }) => ({
      ...(payload?.body?.value as Record<string, unknown>),
      ...{ subject, entityType },
    })),
  );
}

describe('a registration', () => {
  it('says what it changes, once', async () => {
    const name = newTopic();
    const request = { name, settings: { descriptionPaths: ['/id'] } };
    const changes = [{ path: PATHS, before: '[]', after: '["/id"]' }];
    expect(await topics().registerTopic(request)).toMatchObject({ created: true, changes });
    expect(await other.client.topics.registerTopic(request)).toMatchObject({ created: false, changes: [] });
  });

  it('of others names each with both values', async () => {
    const name = await registered('/id');
    const call = topics().registerTopic({ name, settings: { descriptionPaths: ['/state'] } });
    const refusal = await refusalOf(call);
    expect(refusal).toMatchObject({ reason: 'TOPIC_DIFFERS', fields: [PATHS] });
    const cli = await runToEnd(['topics', 'register', name, '--description-paths', '/state'], {
      server: suite.server.address,
    });
    expect(cli.stderr).toContain('is registered as ["/id"], asked for as ["/state"]');
  });

  it('that is only tried changes nothing', async () => {
    const name = newTopic();
    const request = { name, settings: { descriptionPaths: ['/id'] }, dryRun: true };
    const tried = await topics().registerTopic(request);
    const changes = [{ path: PATHS, before: '[]', after: '["/id"]' }];
    expect(tried).toMatchObject({
      created: true,
      changes,
      topic: { name, registered: true, settings: request.settings },
    });
    expect(tried.topic?.registeredAt).toBeUndefined();
    expect((await refusalOf(topics().getTopic({ name }))).reason).toBe('TOPIC_UNKNOWN');
    expect(await audited(name, 0)).toEqual([]);
    await topics().registerTopic({ ...request, dryRun: false });
    expect(await topics().registerTopic(request)).toMatchObject({ created: false, changes: [] });
    const others = { name, settings: { descriptionPaths: ['/ID'] }, dryRun: true };
    expect((await refusalOf(topics().registerTopic(others))).reason).toBe('TOPIC_DIFFERS');
  });
});

describe('an update', () => {
  it('replaces what its mask names, unset where nothing is given, and leaves an entry of the audit', async () => {
    const name = await registered('/id');
    const changed = await update(name, ['/state', '/order/id']);
    const paths = ['/order/id', '/state'];
    expect(changed).toMatchObject({
      changes: [{ path: PATHS, before: '["/id"]', after: JSON.stringify(paths) }],
      topic: { name, registered: true, settings: { descriptionPaths: paths } },
    });
    expect(await update(name, ['/order/id', '/state'], other.client)).toMatchObject({ changes: [] });
    const unset = await other.client.topics.updateTopic({ name, updateMask: ['description_paths'] });
    expect(unset.topic?.settings).toMatchObject({ descriptionPaths: [] });
    expect((await audited(name, 3)).slice(1)).toEqual([
      {
        ...{ call: 'UpdateTopic', by: 'anna', context: 'default', topic: name, entityType: 'topic' },
        ...{
          subject: Subject.SUBJECT_UPDATED,
          before: { description_paths: ['/id'] },
          after: { description_paths: paths },
        },
      },
      {
        ...{ call: 'UpdateTopic', by: '', context: 'default', topic: name, entityType: 'topic' },
        ...{ subject: Subject.SUBJECT_UPDATED, before: { description_paths: paths }, after: { description_paths: [] } },
      },
    ]);
  });

  it('that is only tried changes nothing', async () => {
    const name = await registered('/id');
    const before = await topics().getTopic({ name });
    const settings = { descriptionPaths: ['/state'] };
    const tried = await topics().updateTopic({ name, settings, updateMask: ['description_paths'], dryRun: true });
    expect(tried).toMatchObject({ changes: [{ before: '["/id"]', after: '["/state"]' }], topic: { settings } });
    expect(tried.topic?.registeredAt).toEqual(before.topic?.registeredAt);
    expect(withoutStored((await topics().getTopic({ name })).topic)).toEqual(withoutStored(before.topic));
    expect(await audited(name, 1)).toHaveLength(1);
  });

  it.each([
    [{ updateMask: [] }, 'FIELD_INVALID', 'update_mask'],
    [{ updateMask: ['description_paths', 'ttl_'] }, 'FIELD_INVALID', 'update_mask.paths[1]'],
    [{ updateMask: ['description_paths.0'] }, 'FIELD_INVALID', 'update_mask.paths[0]'],
    [{ updateMask: Array(101).fill('description_paths') }, 'FIELD_INVALID', 'update_mask.paths'],
    [{ settings: { descriptionPaths: ['/a', 'b'] } }, 'FIELD_INVALID', 'settings.description_paths[1]'],
    [{ context: 'all' }, 'FIELD_INVALID', 'context'],
    [{ name: 'madeleine.audit' }, 'FIELD_INVALID', 'name'],
    [{ name: '' }, 'FIELD_INVALID', 'name'],
    [{ by: 'a\nb' }, 'FIELD_INVALID', 'by'],
  ])('of %j is refused: %s', async (bad, reason, field) => {
    const name = await registered('/id');
    const call = topics().updateTopic({ name, updateMask: ['description_paths'], ...bad });
    expect(await refusalOf(call)).toMatchObject({ status: 'INVALID_ARGUMENT', reason, fields: [field] });
    expect(await pathsOf(name)).toEqual(['/id']);
  });

  it('needs a registration', async () => {
    const used = newTopic();
    await push(used, { id: 1 });
    expect(await refusalOf(update(used, ['/id']))).toMatchObject({
      ...{ status: 'NOT_FOUND', reason: 'TOPIC_UNREGISTERED', metadata: { context: 'default', topic: used } },
    });
    expect(await refusalOf(update(newTopic(), ['/id']))).toMatchObject({
      status: 'NOT_FOUND',
      reason: 'TOPIC_UNKNOWN',
    });
  });

  it('of what nobody registered loads nothing, however often it is asked for', async () => {
    const used = newTopic();
    await push(used, { id: 1 });
    const reload = vi.spyOn(ShapeCatalogCache.prototype, 'reload');
    for (let n = 0; n < 5; n += 1) {
      for (const name of [used, newTopic()]) {
        await refusalOf(update(name, ['/id']));
        await refusalOf(topics().unregisterTopic({ name }));
      }
    }
    const loads = reload.mock.calls.length;
    reload.mockRestore();
    expect(loads).toBe(0);
    // Whoever registered it elsewhere a moment ago finds it here.
    const name = newTopic();
    await other.client.topics.registerTopic({ name });
    expect((await update(name, ['/id'])).topic?.settings?.descriptionPaths).toEqual(['/id']);
  });

  it('among many from everywhere takes its turn, each after the one before', async () => {
    const name = await registered('/p0');
    const calls = Array.from({ length: 24 }, (_, n) =>
      update(name, [`/p${n + 1}`], n % 2 === 0 ? suite.client : other.client),
    );
    await Promise.all(calls);
    const entries = (await audited(name, 25)).slice(1) as unknown as { before: object; after: object }[];
    expect(entries).toHaveLength(24);
    for (const [index, { before }] of entries.entries()) {
      expect(before).toEqual(index === 0 ? { description_paths: ['/p0'] } : entries[index - 1]?.after);
    }
    expect({ description_paths: await pathsOf(name) }).toEqual(entries.at(-1)?.after);
  });
});

describe('a topic that is registered no more', () => {
  it('keeps its events and what is awaited in it, and may be registered anew', async () => {
    const name = await registered('/id');
    await push(name, { id: 1 });
    const description = { event: newEvent({ topic: name, payload: undefined, description: { id: 7 } }) };
    const { event: awaited } = await suite.client.events.pushEvent(description);
    await topics().unregisterTopic({ name, by: 'anna' });
    expect(withoutStored((await other.client.topics.getTopic({ name })).topic)).toEqual({
      ...{ context: 'default', name, registered: false },
      ...{ registeredAt: undefined, settings: undefined, identityBuild: undefined },
    });
    expect((await push(name, { id: 1 }, other.client)).outcome).toBe(Outcome.OUTCOME_OCCURRED);
    expect((await push(name, { id: 7 }, other.client)).event?.id).toBe(awaited?.id);
    // Its own push was answered before it had read what the other instance stored before.
    const isAllThere = async () => {
      const { events } = await other.client.events.listEvents({ filter: { topics: [name] } });
      return events.length === 3;
    };
    await waitUntil(isAllThere, { what: 'the three events' });
    expect((await audited(name, 2)).at(-1)).toMatchObject({
      ...{
        call: 'UnregisterTopic',
        by: 'anna',
        subject: Subject.SUBJECT_DELETED,
        before: { description_paths: ['/id'] },
      },
    });
    expect(await refusalOf(topics().unregisterTopic({ name }))).toMatchObject({ reason: 'TOPIC_UNREGISTERED' });
    expect(await refusalOf(topics().unregisterTopic({ name: newTopic() }))).toMatchObject({ reason: 'TOPIC_UNKNOWN' });
    expect(await topics().registerTopic({ name, settings: { descriptionPaths: ['/id'] } })).toMatchObject({
      created: true,
    });
    expect((await refusalOf(push(name, { id: 1 }))).reason).toBe('ALREADY_OCCURRED');
  });

  it('is one for every push that comes later, on every instance', async () => {
    const name = await registered('/id');
    await push(name, { id: 1 }, other.client);
    for (let round = 0; round < 10; round += 1) {
      await topics().unregisterTopic({ name });
      expect((await push(name, { id: 1 }, other.client)).outcome).toBe(Outcome.OUTCOME_OCCURRED);
      await topics().registerTopic({ name, settings: { descriptionPaths: ['/id'] } });
      expect((await refusalOf(push(name, { id: 1 }, other.client))).reason).toBe('ALREADY_OCCURRED');
    }
  });
});

describe('madeleine topics', () => {
  const cli = (...argv: string[]) => runToEnd(['topics', ...argv], { server: suite.server.address });

  it('changes settings, says what changed, and takes them away', async () => {
    const name = await registered('/id');
    await push(name, { state: 1 }).catch(() => {});
    const tried = await cli('update', name, '--description-paths', '/state', '--dry-run');
    expect(tried).toMatchObject({ code: 0, stderr: 'madeleine: a dry run: nothing was changed\n' });
    expect(tried.stdout).toMatch(/^description_paths: \["\/id"\] -> \["\/state"\]\nCONTEXT +default\n/);
    expect(await pathsOf(name)).toEqual(['/id']);
    const changed = await cli('update', name, '--description-paths', '/state', '--by', 'anna', '--json');
    expect(ndjson(changed.stdout)).toMatchObject([
      { changes: [{ path: PATHS, after: '["/state"]' }], topic: { name, settings: { descriptionPaths: ['/state'] } } },
    ]);
    await waitUntil(async () => (await topics().getTopic({ name })).topic?.identityBuild?.endedAt !== undefined, {
      what: 'the identities are built',
    });
    expect((await cli('get', name)).stdout).toMatch(
      /IDENTITIES +built \S+: 0 events have one, 0 have none, 0 have that of an earlier event\nEVENTS /,
    );
    const same = await cli('update', name, '--description-paths', '/state');
    expect(same.stderr).toBe('madeleine: the settings are so already: nothing changes\n');
    expect((await cli('update', name, '--unset', 'description-paths')).stdout).toMatch(/DESCRIPTION PATHS\n/);
    const gone = await cli('unregister', name);
    expect(gone).toMatchObject({ code: 0, stdout: `deleted the registration of ${name}\n` });
  });

  it('says what is wrong', async () => {
    const name = await registered('/id');
    expect(await cli('update', name)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('at least one setting'),
    });
    const both = await cli('update', name, '--unset', 'description_paths', '--description-paths', '/a');
    expect(both).toMatchObject({ code: 2, stderr: expect.stringContaining('description_paths is given and unset') });
    const unknown = await cli('update', name, '--unset', 'lifetime');
    expect(unknown).toMatchObject({ code: 2, stderr: expect.stringContaining('one of description_paths') });
    expect(await cli('unregister', newTopic())).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('TOPIC_UNKNOWN'),
    });
    const again = await cli('register', name, '--description-paths', '/id');
    expect(again.stderr).toBe('madeleine: the topic is registered so already: nothing changes\n');
    expect((await cli('register', newTopic(), '--dry-run')).stderr).toBe(
      'madeleine: a dry run: nothing was registered\n',
    );
  });
});
