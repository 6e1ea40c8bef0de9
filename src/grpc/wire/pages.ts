// A page of a list: how many items a request asks for and after which one, how many of them fit into an answer, and the token of
// the next page, if there is or may be one.

import { decodePageToken, encodePageToken, type Key, type KeyKinds } from './page-token.js';
import { sizeField } from './wire.js';

export const PAGE_SIZE = { default: 100, max: 1_000 };
/** Bytes of items that a message may have; clients take 4 MiB unless told otherwise. */
export const MAX_MESSAGE_BYTES = 3.5 * 1024 * 1024;
/** Tag and length before each item. */
const ITEM_HEAD_BYTES = 6;

/** The order of lists by name. */
export const BY_NAME = { context: 'text', name: 'text' } as const;

/** What the request of every list has. */
export interface PageRequest {
  readonly pageSize: number;
  readonly pageToken: string;
}

export interface Page<Message> {
  readonly items: Message[];
  /** The token of the next page; empty: nothing follows. */
  readonly nextPageToken: string;
}

/** What was read for a page. */
export interface Read<Item, Kinds extends KeyKinds> {
  readonly items: readonly Item[];
  /** The key that the list goes on after, when all of them are used; undefined: nothing follows. */
  readonly next?: Key<Kinds> | undefined;
}

export interface List<Item extends Key<Kinds>, Message, Kinds extends KeyKinds> {
  /** Everything that makes the list what it is, its call first: it takes no other list's tokens. */
  readonly of: readonly [call: string, ...filter: unknown[]];
  /** Identity of the log. */
  readonly epoch: number;
  /** The members of an item that tell where it lies in the order of the list. */
  readonly key: Kinds;
  /**
   * Reads items after a key, from the first if there is none, up to the limit, which is one more than a page has. An array that
   * is shorter is the end of the list.
   */
  readonly read: (after: Key<Kinds> | undefined, limit: number) => Promise<readonly Item[] | Read<Item, Kinds>>;
  readonly toWire: (item: Item) => Message;
  /** How large a message is in the answer. */
  readonly codec: { encode(message: Message): { finish(): Uint8Array } };
}

/** The page of a list that a request asks for. FIELD_INVALID for its size, and what decodePageToken throws. */
export async function listPage<Item extends Key<Kinds>, Message, const Kinds extends KeyKinds>(
  request: PageRequest,
  { of, epoch, key, read, toWire, codec }: List<Item, Message, Kinds>,
): Promise<Page<Message>> {
  const limit = sizeField('page_size', request.pageSize, PAGE_SIZE);
  const scope = { request: of, epoch };
  const found = await read(decodePageToken(request.pageToken, key, scope), limit + 1);
  const { items, next }: Read<Item, Kinds> = 'items' in found ? found : { items: found };
  const messages = items.slice(0, limit).map(toWire);
  const page = messages.slice(
    0,
    messageEnd(messages, (message) => codec.encode(message).finish().byteLength),
  );
  const goesOn = page.length < items.length ? items[page.length - 1] : next;
  return { items: page, nextPageToken: goesOn === undefined ? '' : encodePageToken(goesOn, key, scope) };
}

/** How many of the items, from the first, fit into a message: one at least. */
export function messageEnd<Item>(items: readonly Item[], bytesOf: (item: Item) => number): number {
  let bytes = 0;
  const over = items.findIndex((item, index) => {
    bytes += bytesOf(item) + ITEM_HEAD_BYTES;
    return bytes > MAX_MESSAGE_BYTES && index > 0;
  });
  return over === -1 ? items.length : over;
}
