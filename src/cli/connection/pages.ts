// Walks through the pages of a list call.

/** The items of a page that a server gives at most. */
const MAX_PAGE_SIZE = 1000;

export interface PageRequest {
  readonly pageSize: number;
  readonly pageToken: string;
}

export interface PageOf<T> {
  readonly items: readonly T[];
  readonly nextPageToken: string;
}

/** Returns the items of all pages, in order, or the first of them up to the limit. */
export async function allPages<T>(
  fetchPage: (request: PageRequest) => Promise<PageOf<T>>,
  limit = Number.POSITIVE_INFINITY,
): Promise<readonly T[]> {
  const all: T[] = [];
  for (let pageToken = '', isFirst = true; all.length < limit && (isFirst || pageToken !== ''); isFirst = false) {
    const page = await fetchPage({ pageSize: Math.min(MAX_PAGE_SIZE, limit - all.length), pageToken });
    all.push(...page.items);
    pageToken = page.nextPageToken;
  }
  return all.slice(0, limit);
}
