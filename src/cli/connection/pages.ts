// Walks through the pages of a list call.

export interface PageOf<T> {
  readonly items: readonly T[];
  readonly nextPageToken: string;
}

/** The items of all pages, in order. */
export async function allPages<T>(fetchPage: (pageToken: string) => Promise<PageOf<T>>): Promise<readonly T[]> {
  const all: T[] = [];
  let pageToken = '';
  do {
    const page = await fetchPage(pageToken);
    all.push(...page.items);
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  return all;
}
