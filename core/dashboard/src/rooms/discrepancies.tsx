// What did not agree between books and bills: a list that is narrowed down and walked through.

import { Anchor, Badge, Button, Center, Group, Loader, Select, Stack, Table, Text, Title } from '@mantine/core';
import { type QueryClient, type InfiniteData, useInfiniteQuery } from '@tanstack/react-query';
import { Link, useSearchParams } from 'react-router';
import { api, type Discrepancy, got } from '../api/client';
import { DayInput } from '../parts/day';
import { More } from '../parts/more';
import { ProblemNote } from '../parts/problem';
import { Amount, When } from '../parts/show';
import { CLASSES, type DiscrepancyFilter, filterOf, queryOf, searchOf, STANDINGS } from '../reconciliation';
import { useText, wordFor } from '../text/text';
import { useAccounts, useColleagues } from './reconciliation';

type Page = { items: Discrepancy[]; next_cursor?: string | null };

const listKey = (filter: DiscrepancyFilter) => ['discrepancies', filter] as const;

/** The list that the reader came from, as far as it was loaded. */
export function listed(queryClient: QueryClient, filter: DiscrepancyFilter): string[] {
  const list = queryClient.getQueryData<InfiniteData<Page>>(listKey(filter));
  return list?.pages.flatMap(({ items }) => items.map(({ id }) => id)) ?? [];
}

const COLORS: Readonly<Record<string, string>> = {
  open: 'orange', assigned: 'blue', write_off_proposed: 'grape', resolved: 'green', written_off: 'gray', closed: 'green',
};

export function Standing({ state }: { state: string }) {
  const { t } = useText();
  return <Badge color={COLORS[state] ?? 'gray'} variant="light" tt="none" miw="max-content" data-state={state}>{wordFor(t.recon.states, state)}</Badge>;
}

export function DiscrepanciesRoom() {
  const { t } = useText();
  const [search, setSearch] = useSearchParams();
  const filter = filterOf(search);
  const list = useInfiniteQuery({
    queryKey: listKey(filter),
    queryFn: ({ pageParam }): Promise<Page> =>
      got(api.GET('/v1/discrepancies', { params: { query: { ...queryOf(filter), ...(pageParam === '' ? {} : { cursor: pageParam }) } } })),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  const items = list.data?.pages.flatMap((page) => page.items) ?? [];
  const isNarrow = searchOf(filter) !== '';
  return (
    <Stack>
      <Group justify="space-between" align="flex-end">
        <Title order={1} size="h2">{t.recon.discrepancies}</Title>
        <Filters filter={filter} onChange={(wanted) => setSearch(searchOf(wanted), { replace: true })} />
      </Group>
      <ProblemNote error={list.error} onRetry={() => void list.refetch()} />
      {list.isPending && !list.isError && <Center><Loader aria-label={t.common.loading} /></Center>}
      {list.isSuccess && items.length === 0 && (
        <Group>
          <Text c="dimmed" data-empty>{isNarrow ? t.recon.noneLike : t.recon.none}</Text>
          {isNarrow && <Button size="xs" variant="subtle" onClick={() => setSearch('', { replace: true })}>{t.recon.clear}</Button>}
        </Group>
      )}
      {items.length > 0 && <Rows items={items} search={searchOf(filter)} />}
      <More list={list} />
    </Stack>
  );
}

function Filters({ filter, onChange }: { filter: DiscrepancyFilter; onChange: (filter: DiscrepancyFilter) => void }) {
  const { t } = useText();
  const accounts = useAccounts();
  const known = accounts.items.map(({ channel_account, name }) => ({ value: channel_account, label: name }));
  // An account of an address that is not, or not yet, among them stays visible as what it is.
  const isUnknown = filter.account !== '' && known.every(({ value }) => value !== filter.account);
  return (
    <Group align="flex-end" gap="xs">
      <Select size="xs" w={190} label={t.recon.state} name="state" allowDeselect={false} value={filter.state}
        data={[
          { value: 'waiting', label: t.recon.waitingFilter }, { value: 'all', label: t.recon.all },
          ...STANDINGS.map((value) => ({ value: value as string, label: wordFor(t.recon.states, value) })),
        ]}
        onChange={(value) => onChange({ ...filter, state: (value ?? 'waiting') as DiscrepancyFilter['state'] })} />
      <Select size="xs" w={170} label={t.recon.class} name="class" allowDeselect={false} value={filter.class}
        data={[{ value: '', label: t.recon.allClasses }, ...CLASSES.map((value) => ({ value: value as string, label: wordFor(t.recon.classes, value) }))]}
        onChange={(value) => onChange({ ...filter, class: value ?? '' })} />
      <Select size="xs" w={180} label={t.recon.account} name="account" allowDeselect={false} value={filter.account}
        data={[{ value: '', label: t.recon.allAccounts }, ...known, ...(isUnknown ? [{ value: filter.account, label: filter.account }] : [])]}
        onChange={(value) => onChange({ ...filter, account: value ?? '' })} />
      <DayInput label={t.recon.day} day={filter.day} mayBeEmpty onChange={(day) => onChange({ ...filter, day })} />
    </Group>
  );
}

function Rows({ items, search }: { items: readonly Discrepancy[]; search: string }) {
  const { t } = useText();
  const accounts = useAccounts();
  const people = useColleagues();
  return (
    <Table.ScrollContainer minWidth={840}>
      <Table highlightOnHover verticalSpacing="xs" data-list="discrepancies">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t.recon.class}</Table.Th>
            <Table.Th>{t.recon.day}</Table.Th>
            <Table.Th>{t.recon.account}</Table.Th>
            <Table.Th ta="right">{t.recon.ours}</Table.Th>
            <Table.Th ta="right">{t.recon.theirs}</Table.Th>
            <Table.Th>{t.recon.state}</Table.Th>
            <Table.Th>{t.recon.assignedTo}</Table.Th>
            <Table.Th>{t.recon.foundAt}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {items.map((item) => (
            <Table.Tr key={item.id} data-discrepancy={item.id} data-class={item.class}>
              <Table.Td>
                <Anchor component={Link} to={`/reconciliation/discrepancies/${item.id}${search === '' ? '' : `?${search}`}`} size="sm">
                  {wordFor(t.recon.classes, item.class)}
                </Anchor>
                {item.number != null && <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>{item.number}</Text>}
              </Table.Td>
              <Table.Td style={{ whiteSpace: 'nowrap' }}>{item.day}</Table.Td>
              <Table.Td>{accounts.name(item.channel_account)}</Table.Td>
              <Table.Td ta="right">{item.ours == null ? '–' : <Amount money={item.ours.money} />}</Table.Td>
              <Table.Td ta="right">{item.theirs == null ? '–' : <Amount money={item.theirs.money} />}</Table.Td>
              <Table.Td><Standing state={item.state} /></Table.Td>
              <Table.Td>{item.assigned_to == null ? '–' : people.name(item.assigned_to)}</Table.Td>
              <Table.Td><When at={item.found_at} /></Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
