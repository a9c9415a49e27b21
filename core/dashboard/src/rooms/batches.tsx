// Cashiers' shifts: what should have been in the drawer and what was, what each channel came to, and where the terminal's
// journal and core do not agree.

import { Anchor, Badge, Card, Center, Group, Loader, Stack, Table, Text, TextInput, Title } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link, useParams, useSearchParams } from 'react-router';
import { api, type Batch, type BatchDetail, got } from '../api/client';
import { isPeriod } from '../books';
import { Differences } from '../parts/differences';
import { More } from '../parts/more';
import { ProblemNote } from '../parts/problem';
import { Amount, When } from '../parts/show';
import { useText } from '../text/text';
import { Files } from './books';
import { LooseDays } from './loose-days';
import { useNames } from './payments';

export function BatchesRoom() {
  const { t } = useText();
  const [search, setSearch] = useSearchParams();
  const day = search.get('day') ?? '';
  const asked = isPeriod({ from: day, to: day }) ? { day } : {};
  const names = useNames();
  const batches = useInfiniteQuery({
    queryKey: ['batches', asked],
    queryFn: ({ pageParam }) =>
      got(api.GET('/v1/batches', { params: { query: { ...asked, ...(pageParam === '' ? {} : { cursor: pageParam }) } } })),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  const items = batches.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <Stack>
      <Group justify="space-between" align="flex-end">
        <Title order={1} size="h2">{t.batches.title}</Title>
        <TextInput type="date" size="xs" label={t.batches.day} defaultValue={day} data-input="day"
          onChange={(event) => setSearch(event.currentTarget.value === '' ? {} : { day: event.currentTarget.value }, { replace: true })} />
      </Group>
      <ProblemNote error={batches.error} onRetry={() => void batches.refetch()} />
      {batches.isPending && !batches.isError && <Center><Loader /></Center>}
      {batches.isSuccess && items.length === 0 && <Text c="dimmed">{t.batches.none}</Text>}
      {items.length > 0 && (
        <Table.ScrollContainer minWidth={720}>
          <Table data-list="batches">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t.batches.number}</Table.Th>
                <Table.Th>{t.batches.terminal}</Table.Th>
                <Table.Th>{t.batches.cashier}</Table.Th>
                <Table.Th>{t.batches.opened}</Table.Th>
                <Table.Th ta="right">{t.batches.expected}</Table.Th>
                <Table.Th ta="right">{t.batches.counted}</Table.Th>
                <Table.Th ta="right">{t.batches.difference}</Table.Th>
                <Table.Th />
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {items.map((batch) => <Row key={batch.id} batch={batch} terminal={names.terminal(batch.terminal)} />)}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
      <LooseDays />
      <More list={batches} />
    </Stack>
  );
}

function Row({ batch, terminal }: { batch: Batch; terminal: string }) {
  const { t } = useText();
  const { closed } = batch;
  return (
    <Table.Tr data-batch={batch.id}>
      <Table.Td><Anchor component={Link} to={`/batches/${batch.id}`}>{batch.number}</Anchor></Table.Td>
      <Table.Td>{terminal}</Table.Td>
      <Table.Td>{batch.cashier}{batch.cashier_number !== '' && batch.cashier_number !== batch.cashier && ` (${batch.cashier_number})`}</Table.Td>
      <Table.Td><When at={batch.opened_at} /></Table.Td>
      <Table.Td ta="right">{closed != null && <Amount money={closed.expected} />}</Table.Td>
      <Table.Td ta="right">{closed != null && <Amount money={closed.counted} />}</Table.Td>
      <Table.Td ta="right">{closed != null && <Difference minor={closed.difference.minor} currency={closed.difference.currency} />}</Table.Td>
      <Table.Td>
        {closed == null && <Badge color="blue" variant="light" tt="none">{t.batches.open}</Badge>}
        {batch.differences > 0 && <Badge color="red" variant="light" tt="none" data-differences={batch.differences}>{t.batches.differences} {batch.differences}</Badge>}
      </Table.Td>
    </Table.Tr>
  );
}

/** Over in one colour, short in another; nothing to see if the drawer was right. */
function Difference({ minor, currency }: { minor: number; currency: string }) {
  const { t } = useText();
  if (minor === 0) return <Text span size="sm" c="dimmed">{t.batches.balanced}</Text>;
  return (
    <Badge color={minor > 0 ? 'orange' : 'red'} variant="light" tt="none" miw="max-content">
      {minor > 0 ? t.batches.over : t.batches.short} <Amount money={{ minor: Math.abs(minor), currency }} />
    </Badge>
  );
}

export function BatchRoom() {
  const { t } = useText();
  const { batch = '' } = useParams();
  const names = useNames();
  const shown = useQuery({
    queryKey: ['batch', batch],
    queryFn: () => got(api.GET('/v1/batches/{batch}', { params: { path: { batch } } })),
  });
  const detail = shown.data;
  return (
    <Stack>
      <ProblemNote error={shown.error} onRetry={() => void shown.refetch()} />
      {shown.isPending && !shown.isError && <Center><Loader /></Center>}
      {detail !== undefined && (
        <>
          <Group justify="space-between" align="flex-end">
            <Title order={1} size="h2">{t.batches.number} {detail.batch.number} · {names.terminal(detail.batch.terminal)}</Title>
            <Files path={(format) => `/v1/batches/${batch}/settlement/export?format=${format}`} />
          </Group>
          <Drawer detail={detail} />
          <Totals detail={detail} />
          <Differences batch={batch} items={detail.differences} />
        </>
      )}
    </Stack>
  );
}

function Drawer({ detail }: { detail: BatchDetail }) {
  const { t } = useText();
  const { batch, drawer, movements } = detail;
  const rows = [
    [t.batches.float, drawer.float], [t.batches.cashSales, drawer.sales], [t.batches.givenBack, drawer.given_back],
    [t.batches.paidIn, drawer.paid_in], [t.batches.paidOut, drawer.paid_out], [t.batches.expected, drawer.expected],
  ] as const;
  return (
    <Card withBorder data-part="drawer">
      <Title order={2} size="h4" mb="sm">{t.batches.drawer}</Title>
      <Text size="sm" mb="xs">
        {batch.cashier} · {t.batches.opened} <When at={batch.opened_at} />
        {batch.closed != null && <> · {t.batches.closed} <When at={batch.closed.at} /></>}
      </Text>
      {rows.map(([name, money]) => (
        <Group key={name} justify="space-between"><Text size="sm">{name}</Text><Amount money={money} /></Group>
      ))}
      {batch.closed != null && (
        <>
          <Group justify="space-between"><Text size="sm" fw={600}>{t.batches.counted}</Text><Amount money={batch.closed.counted} /></Group>
          <Group justify="space-between"><Text size="sm" fw={600}>{t.batches.difference}</Text>
            <Difference minor={batch.closed.difference.minor} currency={batch.closed.difference.currency} /></Group>
        </>
      )}
      {movements.map((movement) => (
        <Text key={`${movement.at}${movement.kind}${movement.amount.minor}${movement.reason}`} size="xs" c="dimmed">
          {movement.kind === 'paid_in' ? t.batches.paidIn : t.batches.paidOut} · {movement.reason} · {movement.cashier} · <Amount money={movement.amount} size="xs" />
        </Text>
      ))}
    </Card>
  );
}

function Totals({ detail }: { detail: BatchDetail }) {
  const { t } = useText();
  if (detail.totals.length === 0) return null;
  return (
    <Table.ScrollContainer minWidth={480}>
      <Table data-list="totals">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t.batches.channel}</Table.Th>
            {[t.batches.sales, t.batches.refunds, t.batches.voids].map((name) => <Table.Th key={name} ta="right">{name}</Table.Th>)}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {detail.totals.map((total) => (
            <Table.Tr key={`${total.channel}${total.currency}`}>
              <Table.Td>{total.channel === 'cash' ? t.batches.cash : total.channel}</Table.Td>
              {(['sales', 'refunds', 'voids'] as const).map((kind) => (
                <Table.Td key={kind} ta="right">{total[kind].count} × <Amount money={{ minor: total[kind].minor, currency: total.currency }} /></Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
