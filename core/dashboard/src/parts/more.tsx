// The way on through a list that comes in pages.

import { Button, Center } from '@mantine/core';
import { useText } from '../text/text';

/** Nothing once all of `list` is there. */
export function More({ list }: { list: { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => unknown } }) {
  const { t } = useText();
  if (!list.hasNextPage) return null;
  return (
    <Center>
      <Button variant="default" loading={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>{t.common.more}</Button>
    </Center>
  );
}
