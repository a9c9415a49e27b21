// All payments, newest first, changing as they happen.

import { Anchor, Center, Group, Loader, Paper, Select, Table, Text, Title } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearchParams } from 'react-router';
import { api, got, type PaymentPage } from '../api/client';
import { More } from '../parts/more';
import { ProblemNote } from '../parts/problem';
import { Amount, StateBadge, When } from '../parts/show';
import { FILTERS, type Filter } from '../payments';
import { useText, wordFor } from '../text/text';

const PAGE_SIZE = 50;

export function useNames() {
  const stores = useQuery({ queryKey: ['stores'], queryFn: () => got(api.GET('/v1/stores')) });
  const terminals = useTerminals();
  return {
    store: (id: string) => stores.data?.items.find((store) => store.id === id)?.name ?? id,
    terminal: (id: string) => terminals.data?.find((terminal) => terminal.id === id)?.name ?? id,
  };
}

/** All terminals at once. The live stream has no news of them: who watches them says how often to ask. */
export function useTerminals(everyMs?: number) {
  return useQuery({
    queryKey: ['terminals'],
    queryFn: async () => (await got(api.GET('/v1/terminals'))).items,
    refetchInterval: everyMs ?? false,
  });
}

function isFilter(text: string): text is Filter {
  return (FILTERS as readonly string[]).includes(text);
}

export function PaymentsRoom() {
  const { t } = useText();
  const navigate = useNavigate();
  const names = useNames();
  const [search, setSearch] = useSearchParams();
  const wanted = search.get('state') ?? 'all';
  const attention = wanted === 'attention';
  const filter: Filter = isFilter(wanted) ? wanted : 'all';
  const list = useInfiniteQuery({
    queryKey: ['payments', attention ? 'attention' : filter],
    initialPageParam: '',
    queryFn: ({ pageParam }): Promise<PaymentPage> =>
      got(api.GET('/v1/payments', {
        params: {
          query: {
            limit: PAGE_SIZE,
            ...(filter === 'all' ? {} : { state: filter }),
            ...(attention ? { attention: true } : {}),
            ...(pageParam === '' ? {} : { cursor: pageParam }),
          },
        },
      })),
    getNextPageParam: (page) => page.next_cursor ?? null,
  });
  const payments = list.data?.pages.flatMap(({ items }) => items) ?? [];
  return (
    <>
      <Group justify="space-between" mb="md">
        <Title order={1} size="h2">{t.payments.title}</Title>
        <Select
          aria-label={t.payments.filter} w={190} allowDeselect={false} value={attention ? 'attention' : filter}
          data={[
            ...FILTERS.map((value) => ({ value: value as string, label: value === 'all' ? t.payments.all : t.states[value] })),
            { value: 'attention', label: t.payments.attention },
          ]}
          onChange={(value) => setSearch(value === null || value === 'all' ? {} : { state: value }, { replace: true })}
        />
      </Group>
      <ProblemNote error={list.error} onRetry={() => void list.refetch()} />
      {list.isPending && !list.isError && <Center mt="xl"><Loader /></Center>}
      {list.isSuccess && payments.length === 0 && (
        <Center mt="xl"><Text c="dimmed">{filter === 'all' ? `${t.payments.none}. ${t.payments.noneHint}` : t.payments.noneFiltered}</Text></Center>
      )}
      {payments.length > 0 && (
        <Paper withBorder>
          <Table.ScrollContainer minWidth={300}>
            <Table highlightOnHover verticalSpacing="xs" data-list="payments">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{t.payments.time}</Table.Th>
                  <Table.Th ta="right">{t.payments.amount}</Table.Th>
                  <Table.Th>{t.payments.state}</Table.Th>
                  <Table.Th visibleFrom="xs">{t.payments.method}</Table.Th>
                  <Table.Th visibleFrom="lg">{t.payments.channel}</Table.Th>
                  <Table.Th visibleFrom="md">{t.payments.store}</Table.Th>
                  <Table.Th visibleFrom="sm">{t.payments.terminal}</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {payments.map((payment) => (
                  // A click anywhere in the row is a convenience of the mouse; the link is for keys and other readers.
                  <Table.Tr key={payment.id} data-payment={payment.id} style={{ cursor: 'pointer' }}
                    onClick={({ target }) => (target as Element).closest('a') ?? void navigate(`/payments/${payment.id}`)}>
                    <Table.Td>
                      <Anchor component={Link} to={`/payments/${payment.id}`} size="sm" c="inherit"><When at={payment.created_at} /></Anchor>
                    </Table.Td>
                    <Table.Td ta="right"><Amount money={payment.amount} /></Table.Td>
                    <Table.Td><StateBadge payment={payment} /></Table.Td>
                    <Table.Td visibleFrom="xs">{wordFor(t.methods, payment.method)}</Table.Td>
                    <Table.Td visibleFrom="lg">{payment.channel === 'cash' ? '–' : payment.channel}</Table.Td>
                    <Table.Td visibleFrom="md">{names.store(payment.store)}</Table.Td>
                    <Table.Td visibleFrom="sm">
                      {payment.terminal == null ? '–' : names.terminal(payment.terminal)}
                      {payment.counter != null && <Text span c="dimmed" size="xs"> #{payment.counter}</Text>}
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        </Paper>
      )}
      <More list={list} />
    </>
  );
}
