// What the page of the terminal asks of the agent.

import { type Books, freshKey, get, post } from './api';
import { ask, current, set } from './store';

/** With how many waiting, as they stand now. */
export function syncNow(): Promise<void> {
  const key = freshKey();
  return ask(async () => {
    await post('/api/sync-now', {}, key);
    const link = current().state?.link;
    set({ notice: { kind: 'syncing', offline: link?.https !== true && link?.mqtt !== true } });
  });
}

export function openDrawer(): Promise<void> {
  const key = freshKey();
  return ask(() => post('/api/drawer/open', {}, key));
}

export function compareBooks(): Promise<void> {
  return ask(async () => {
    const books = await get<Books & { core: unknown }>('/api/books');
    set({ notice: { kind: 'books', agree: books.core === null ? null : books.agree } });
  });
}
