// What it costs to know of what was deleted unread, and where a stream ends: see hot-operations.ts.

import { MysqlUnreadStore } from '../../src/storage/mysql/consumers/unread-store.js';
import { MysqlDeletedEvents } from '../../src/storage/mysql/log/deleted-events.js';
import type { HotOperation } from './hot-operations.js';

const pad = (n: number) => String(n).padStart(6, '0');

export const UNREAD_OPERATIONS: readonly HotOperation[] = [
  {
    of: 'MysqlStreamStore.storedUpTo',
    // The ends of the stream, and steps of a search by halves.
    atMost: 60,
    run: ({ streams }, { row }) => streams.storedUpTo('default', `stream ${pad(row)}`, 1),
  },
  {
    of: 'MysqlDeletedEvents.deletedTo',
    atMost: 5,
    run: ({ database }, { position }) =>
      new MysqlDeletedEvents({ database }).deletedTo({ context: 'default' }, position),
  },
  {
    of: 'MysqlDeletedEvents.deletedTo',
    what: 'of named topics',
    // A list of two names, and a row of each of three indexes for each.
    atMost: 20,
    run: ({ database }, { row }) => {
      const topics = [`topic ${pad(row)}`, 'never used'];
      return new MysqlDeletedEvents({ database }).deletedTo({ context: 'default', topics }, 0);
    },
  },
  {
    of: 'MysqlUnreadStore.takeGaps',
    // One gap is found, taken under the consumer's row, and read again.
    atMost: 10,
    run: ({ database }, { row }) =>
      new MysqlUnreadStore({ database }).takeGaps({ id: 1 + Math.floor(row / 50), epoch: 1 }),
  },
  {
    of: 'MysqlUnreadStore.toldGaps',
    atMost: 5,
    run: ({ database }, { row }) => new MysqlUnreadStore({ database }).toldGaps({ id: row, epoch: 1 }, [row]),
  },
  {
    of: 'MysqlUnreadStore.withGaps',
    // All gaps that wait, of which each consumer has one here, and their consumers.
    atMost: 60_000,
    run: ({ database }) => new MysqlUnreadStore({ database }).withGaps('nobody'),
  },
];
