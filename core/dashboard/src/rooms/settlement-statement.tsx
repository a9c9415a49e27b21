// Settlement statements of a period: what was collected, given back, charged and is due, for the merchant, each store or each
// terminal. Those of a terminal's batch are with the batch.

import { Anchor, Center, Group, Loader, SegmentedControl, Stack, Table, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link, useSearchParams } from 'react-router';
import { api, got, type SettlementItem } from '../api/client';
import { ProblemNote } from '../parts/problem';
import { Amount } from '../parts/show';
import { type By, BYS, settlementFile } from '../reconciliation';
import { useText } from '../text/text';
import { DaysInput, Files, useDays } from './books';
import { useNames } from './payments';
import { useAccounts } from './reconciliation';

export function SettlementStatementRoom() {
  const { t } = useText();
  const [days, setDays] = useDays();
  const [search, setSearch] = useSearchParams();
  const by: By = BYS.find((one) => one === search.get('by')) ?? 'merchant';
  const statement = useQuery({
    queryKey: ['settlement-statement', days, by],
    queryFn: () => got(api.GET('/v1/ledger/settlement', { params: { query: { ...days, by } } })),
  });
  const choose = (wanted: string): void => {
    setSearch((before) => {
      const next = new URLSearchParams(before);
      next.set('by', wanted);
      return next;
    }, { replace: true });
  };
  const items = statement.data?.items ?? [];
  return (
    <Stack>
      <Group justify="space-between" align="flex-end">
        <Title order={1} size="h2">{t.recon.statements}</Title>
        <Group align="flex-end">
          <SegmentedControl size="xs" aria-label={t.recon.statement.by} value={by} onChange={choose} data-by={by}
            data={BYS.map((value) => ({ value, label: t.recon.statement.bys[value] }))} />
          <DaysInput days={days} onChange={setDays} />
          <Files path={(format) => settlementFile(days, by, format)} />
        </Group>
      </Group>
      <Text c="dimmed" size="sm">
        {t.recon.statement.hint}{statement.data !== undefined && ` ${t.books.zone}: ${statement.data.time_zone}.`}{' '}
        <Anchor component={Link} to="/batches" size="sm" underline="always">{t.recon.statement.batches}</Anchor>
      </Text>
      <ProblemNote error={statement.error} onRetry={() => void statement.refetch()} />
      {statement.isPending && !statement.isError && <Center><Loader aria-label={t.common.loading} /></Center>}
      {statement.isSuccess && items.length === 0 && <Text c="dimmed" data-empty>{t.recon.statement.none}</Text>}
      {items.length > 0 && <Lines items={items} by={by} />}
    </Stack>
  );
}

function Lines({ items, by }: { items: readonly SettlementItem[]; by: By }) {
  const { t } = useText();
  const names = useNames();
  const accounts = useAccounts();
  const money = (minor: number, currency: string, fw = 400) => <Amount money={{ minor, currency }} fw={fw} />;
  const { gross, refunded, disputed, fees, corrected, net } = t.recon.statement;
  const heads = [gross, refunded, disputed, fees, corrected, net];
  return (
    <Table.ScrollContainer minWidth={760}>
      <Table verticalSpacing="xs" data-list="settlement">
        <Table.Thead>
          <Table.Tr>
            {by !== 'merchant' && <Table.Th>{t.recon.statement.bys[by]}</Table.Th>}
            <Table.Th>{t.recon.account}</Table.Th>
            {heads.map((name) => <Table.Th key={name} ta="right">{name}</Table.Th>)}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {items.map((item) => {
            const { store, terminal, channel_account: account, currency } = item;
            return (
              <Table.Tr key={`${store ?? ''} ${terminal ?? ''} ${account ?? ''} ${currency}`} data-settlement-of={account ?? 'cash'} data-net={item.net_minor}>
                {by === 'store' && <Table.Td>{store == null ? t.recon.statement.noStore : names.store(store)}</Table.Td>}
                {by === 'terminal' && <Table.Td>{terminal == null ? t.recon.statement.noTerminal : names.terminal(terminal)}</Table.Td>}
                <Table.Td>{account == null ? t.recon.statement.cash : accounts.name(account)}</Table.Td>
                <Table.Td ta="right">{item.payments} × {money(item.gross_minor, currency)}</Table.Td>
                <Table.Td ta="right">{item.refunds} × {money(item.refunded_minor, currency)}</Table.Td>
                <Table.Td ta="right">{money(item.disputed_minor, currency)}</Table.Td>
                <Table.Td ta="right">{money(item.fees_minor, currency)}</Table.Td>
                <Table.Td ta="right">{money(item.corrected_minor, currency)}</Table.Td>
                <Table.Td ta="right">{money(item.net_minor, currency, 700)}</Table.Td>
              </Table.Tr>
            );
          })}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
