// The books by period: what each account held at its start and end and what moved, whether the books hold, and files of it.

import { Alert, Anchor, Button, Center, Group, Loader, Paper, Stack, Table, Text, TextInput, Title } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import { api, authorized, got, type PeriodBalance } from '../api/client';
import { problemFrom } from '../api/problem';
import { balancesFile, byCurrency, type CurrencyBalances, type Days, fileName, FORMATS, type Format, isPeriod, monthSoFar } from '../books';
import { ProblemNote } from '../parts/problem';
import { Amount } from '../parts/show';
import { useText, wordFor } from '../text/text';
import { moment } from '../time';

export function BooksRoom() {
  const { t } = useText();
  const [days, setDays] = useDays();
  const books = useQuery({
    queryKey: ['books', days],
    queryFn: () => got(api.GET('/v1/ledger/balances', { params: { query: { ...days } } })),
  });
  return (
    <Stack>
      <Group justify="space-between" align="flex-end">
        <Title order={1} size="h2">{t.books.title}</Title>
        <Group align="flex-end">
          <DaysInput days={days} onChange={setDays} />
          <Files path={(format) => balancesFile(days, format)} />
        </Group>
      </Group>
      <Text c="dimmed" size="sm">{t.books.hint}{books.data !== undefined && ` ${t.books.zone}: ${books.data.time_zone}`}</Text>
      <Findings />
      <ProblemNote error={books.error} onRetry={() => void books.refetch()} />
      {books.isPending && !books.isError && <Center><Loader /></Center>}
      {books.data?.items.length === 0 && <Text c="dimmed">{t.books.none}</Text>}
      {byCurrency(books.data?.items ?? []).map((balances) => (
        <CurrencyTable key={balances.currency} balances={balances} days={days} />
      ))}
    </Stack>
  );
}

/** The period of the address, or the month so far. */
export function useDays(): [Days, (days: Days) => void] {
  const [search, setSearch] = useSearchParams();
  const asked = { from: search.get('from') ?? '', to: search.get('to') ?? '' };
  const days = isPeriod(asked) ? asked : monthSoFar(new Date());
  const setDays = (wanted: Days): void => {
    setSearch((before) => {
      const next = new URLSearchParams(before);
      next.set('from', wanted.from);
      next.set('to', wanted.to);
      return next;
    }, { replace: true });
  };
  return [days, setDays];
}

export function DaysInput({ days, onChange }: { days: Days; onChange: (days: Days) => void }) {
  const { t } = useText();
  const [typed, setTyped] = useState(days);
  const type = (wanted: Days): void => {
    setTyped(wanted);
    if (isPeriod(wanted)) onChange(wanted);
  };
  const error = isPeriod(typed) ? undefined : t.books.badPeriod;
  return (
    <>
      <TextInput type="date" size="xs" label={t.books.from} value={typed.from} error={error} data-input="from"
        onChange={(event) => type({ ...typed, from: event.currentTarget.value })} />
      <TextInput type="date" size="xs" label={t.books.to} value={typed.to} error={error !== undefined} data-input="to"
        onChange={(event) => type({ ...typed, to: event.currentTarget.value })} />
    </>
  );
}

/** Fetched with the token and handed to the browser, since a link cannot carry one. */
async function download(path: string, format: Format): Promise<void> {
  const response = await authorized(new Request(new URL(path, location.origin)));
  if (!response.ok) throw problemFrom(response.status, await response.json().catch(() => undefined));
  const address = URL.createObjectURL(await response.blob());
  const link = document.createElement('a');
  link.href = address;
  link.download = fileName(response.headers.get('content-disposition'), format);
  link.click();
  URL.revokeObjectURL(address);
}

export function Files({ path }: { path: (format: Format) => string }) {
  const { t } = useText();
  const file = useMutation({ mutationFn: (format: Format) => download(path(format), format) });
  return (
    <>
      <Group gap="xs">
        {FORMATS.map((format) => (
          <Button key={format} size="xs" variant="default" data-action={`export-${format}`} loading={file.isPending && file.variables === format}
            onClick={() => file.mutate(format)}>{t.books.export} {format.toUpperCase()}</Button>
        ))}
      </Group>
      <ProblemNote error={file.error} />
    </>
  );
}

function Findings() {
  const { t, locale } = useText();
  const findings = useQuery({ queryKey: ['findings'], queryFn: () => got(api.GET('/v1/ledger/findings')), refetchInterval: 60_000 });
  if (findings.data === undefined) return <ProblemNote error={findings.error} />;
  const { checked_at: checkedAt, items } = findings.data;
  const when = checkedAt == null ? t.books.neverChecked : `${t.books.checked} ${moment(checkedAt, locale)}`;
  if (items.length === 0) return <Text c="dimmed" size="xs" data-findings="0">{when}</Text>;
  return (
    <Alert color="red" title={t.books.findings} role="alert" data-findings={items.length}>
      <Text size="sm" mb="xs">{t.books.findingsHint} {when}</Text>
      {items.map(({ subject, code, detail }) => (
        <Text key={`${subject}${code}`} size="xs">
          {subject.startsWith('pay_') ? <Anchor component={Link} to={`/payments/${subject}`} size="xs">{subject}</Anchor> : subject}: {detail}
        </Text>
      ))}
    </Alert>
  );
}

function CurrencyTable({ balances, days }: { balances: CurrencyBalances; days: Days }) {
  const { t } = useText();
  const { currency, items, debits, credits, moved, balanced } = balances;
  const sum = (minor: number) => <Amount money={{ currency, minor }} />;
  return (
    <Paper withBorder p="md" data-books={currency}>
      <Alert color={balanced ? 'green' : 'red'} mb="sm" data-balances={balanced}>
        {currency}: {balanced ? t.books.balanced : t.books.unbalanced}
      </Alert>
      <Table.ScrollContainer minWidth={720}>
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t.books.account}</Table.Th>
              {[t.books.opening, t.books.debits, t.books.credits, t.books.debitBalance, t.books.creditBalance].map((head) => (
                <Table.Th key={head} ta="right">{head}</Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {items.map((item) => <BalanceRow key={`${item.account}${item.channel_account ?? ''}`} item={item} days={days} />)}
          </Table.Tbody>
          <Table.Tfoot>
            <Table.Tr>
              <Table.Th>{t.books.total}</Table.Th>
              <Table.Th />
              <Table.Th ta="right">{sum(moved.debits)}</Table.Th>
              <Table.Th ta="right">{sum(moved.credits)}</Table.Th>
              <Table.Th ta="right">{sum(debits)}</Table.Th>
              <Table.Th ta="right">{sum(credits)}</Table.Th>
            </Table.Tr>
          </Table.Tfoot>
        </Table>
      </Table.ScrollContainer>
    </Paper>
  );
}

function BalanceRow({ item, days }: { item: PeriodBalance; days: Days }) {
  const { t } = useText();
  const { account, channel_account: channelAccount, currency } = item;
  const amount = (minor: number) => minor !== 0 && <Amount money={{ currency, minor }} fw={400} />;
  const search = new URLSearchParams({ currency, ...days, ...(channelAccount == null ? {} : { channel_account: channelAccount }) });
  return (
    <Table.Tr data-account={account}>
      <Table.Td>
        <Anchor component={Link} to={`/books/${account}?${search}`} size="sm">{wordFor(t.accounts, account)}</Anchor>
        {' '}<Text span size="xs" c="dimmed">{channelAccount}</Text>
      </Table.Td>
      <Table.Td ta="right">{amount(item.opening_minor)}</Table.Td>
      <Table.Td ta="right">{amount(item.debits_minor)}</Table.Td>
      <Table.Td ta="right">{amount(item.credits_minor)}</Table.Td>
      <Table.Td ta="right">{amount(Math.max(item.closing_minor, 0))}</Table.Td>
      <Table.Td ta="right">{amount(Math.max(-item.closing_minor, 0))}</Table.Td>
    </Table.Tr>
  );
}
