// One account's lines in the order in which they were booked, each with the balance after it.

import { Anchor, Center, Group, Loader, Paper, Stack, Table, Text, Title } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link, useParams, useSearchParams } from 'react-router';
import { api, got, type Statement } from '../api/client';
import { statementFile } from '../books';
import { More } from '../parts/more';
import { ProblemNote } from '../parts/problem';
import { Amount } from '../parts/show';
import { useText, wordFor } from '../text/text';
import { moment } from '../time';
import { DaysInput, Files, useDays } from './books';

const PAGE_SIZE = 100;

export function StatementRoom() {
  const { t, locale } = useText();
  const { account = '' } = useParams();
  const [search] = useSearchParams();
  const [days, setDays] = useDays();
  const [currency, channelAccount] = [search.get('currency') ?? '', search.get('channel_account')];
  const whose = { account, currency, channelAccount };
  const pages = useInfiniteQuery({
    queryKey: ['statement', whose, days],
    initialPageParam: '',
    queryFn: ({ pageParam }): Promise<Statement> =>
      got(api.GET('/v1/ledger/statement', {
        params: {
          query: {
            account, currency, ...days, limit: PAGE_SIZE,
            ...(channelAccount === null ? {} : { channel_account: channelAccount }),
            ...(pageParam === '' ? {} : { cursor: pageParam }),
          },
        },
      })),
    getNextPageParam: (page) => page.next_cursor ?? null,
  });
  const [first] = pages.data?.pages ?? [];
  const lines = pages.data?.pages.flatMap(({ items }) => items) ?? [];
  return (
    <Stack data-statement={account}>
      <Anchor component={Link} to={`/books?${new URLSearchParams({ ...days })}`} size="sm">← {t.books.title}</Anchor>
      <Group justify="space-between" align="flex-end">
        <div>
          <Title order={1} size="h2">{wordFor(t.accounts, account)} {currency}</Title>
          <Text size="xs" c="dimmed">{channelAccount}</Text>
        </div>
        <Group align="flex-end">
          <DaysInput days={days} onChange={setDays} />
          <Files path={(format) => statementFile(whose, days, format)} />
        </Group>
      </Group>
      <ProblemNote error={pages.error} onRetry={() => void pages.refetch()} />
      {pages.isPending && !pages.isError && <Center><Loader /></Center>}
      {first !== undefined && (
        <Paper withBorder p="md">
          <Table.ScrollContainer minWidth={720}>
            <Table verticalSpacing={4}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{t.books.booked}</Table.Th>
                  <Table.Th>{t.books.movement}</Table.Th>
                  {[t.books.debit, t.books.credit, t.books.balance].map((head) => <Table.Th key={head} ta="right">{head}</Table.Th>)}
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                <Total word={t.books.opening} money={first.opening} />
                {lines.map((line) => (
                  <Table.Tr key={`${line.booked_at}${line.kind}${line.subject}${line.balance.minor}`} data-line={line.kind}>
                    <Table.Td>{moment(line.booked_at, locale)}</Table.Td>
                    <Table.Td>
                      {wordFor(t.postingKinds, line.kind)}{' '}
                      {line.payment == null
                        ? <Text span size="xs" c="dimmed">{line.subject}</Text>
                        : <Anchor component={Link} to={`/payments/${line.payment}`} size="xs">{line.subject}</Anchor>}
                    </Table.Td>
                    <Table.Td ta="right">{line.money.minor > 0 && <Amount money={line.money} fw={400} />}</Table.Td>
                    <Table.Td ta="right">{line.money.minor < 0 && <Amount money={{ currency, minor: -line.money.minor }} fw={400} />}</Table.Td>
                    <Table.Td ta="right"><Amount money={line.balance} fw={400} /></Table.Td>
                  </Table.Tr>
                ))}
                {!pages.hasNextPage && <Total word={t.books.closing} money={first.closing} />}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
          <More list={pages} />
        </Paper>
      )}
    </Stack>
  );
}

function Total({ word, money }: { word: string; money: Statement['opening'] }) {
  return (
    <Table.Tr>
      <Table.Th colSpan={4}>{word}</Table.Th>
      <Table.Th ta="right"><Amount money={money} /></Table.Th>
    </Table.Tr>
  );
}
