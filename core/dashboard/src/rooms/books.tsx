import { Alert, Center, Loader, Paper, Stack, Table, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api, got } from '../api/client';
import { ProblemNote } from '../parts/problem';
import { Amount } from '../parts/show';
import { useText, wordFor } from '../text/text';

export function BooksRoom() {
  const { t } = useText();
  const books = useQuery({ queryKey: ['books'], queryFn: () => got(api.GET('/v1/ledger/trial-balance')) });
  return (
    <Stack>
      <Title order={2}>{t.books.title}</Title>
      <Text c="dimmed" size="sm">{t.books.hint}</Text>
      <ProblemNote error={books.error} onRetry={() => void books.refetch()} />
      {books.isPending && !books.isError && <Center><Loader /></Center>}
      {books.data?.currencies.length === 0 && <Text c="dimmed">{t.books.none}</Text>}
      {books.data?.currencies.map(({ currency, debits_minor, credits_minor }) => {
        const balances = debits_minor === credits_minor;
        const accounts = books.data.accounts.filter(({ balance }) => balance.currency === currency);
        return (
          <Paper key={currency} withBorder p="md" data-books={currency}>
            <Alert color={balances ? 'green' : 'red'} mb="sm" data-balances={balances}>
              {currency}: {balances ? t.books.balanced : t.books.unbalanced}
            </Alert>
            <Table>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{t.books.account}</Table.Th>
                  <Table.Th ta="right">{t.books.debit}</Table.Th>
                  <Table.Th ta="right">{t.books.credit}</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {accounts.map(({ account, balance, channel_account }) => (
                  <Table.Tr key={`${account}${channel_account ?? ''}`}>
                    <Table.Td>{wordFor(t.accounts, account)} <Text span size="xs" c="dimmed">{channel_account}</Text></Table.Td>
                    <Table.Td ta="right">{balance.minor > 0 && <Amount money={balance} fw={400} />}</Table.Td>
                    <Table.Td ta="right">{balance.minor < 0 && <Amount money={{ currency, minor: -balance.minor }} fw={400} />}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
              <Table.Tfoot>
                <Table.Tr>
                  <Table.Th>{t.books.total}</Table.Th>
                  <Table.Th ta="right"><Amount money={{ currency, minor: debits_minor }} /></Table.Th>
                  <Table.Th ta="right"><Amount money={{ currency, minor: credits_minor }} /></Table.Th>
                </Table.Tr>
              </Table.Tfoot>
            </Table>
          </Paper>
        );
      })}
    </Stack>
  );
}
