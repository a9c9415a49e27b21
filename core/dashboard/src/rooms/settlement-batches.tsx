// Batches that are settled at card acquirers: what is open, what both sides counted, and what a person has seen to.

import { Badge, Button, Center, Group, Loader, Modal, Stack, Table, Text, TextInput, Title } from '@mantine/core';
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, got, type OpenSettlement, type SettlementBatch, type SettlementTotal } from '../api/client';
import { useKeys } from '../api/wish';
import { More } from '../parts/more';
import { ProblemNote } from '../parts/problem';
import { Amount, When } from '../parts/show';
import { type BatchStanding, batchStanding, RUNNING_POLL_MS } from '../reconciliation';
import { may, type Role } from '../rights';
import { useText } from '../text/text';
import { useAccounts, useColleagues } from './reconciliation';

const COLORS: Readonly<Record<BatchStanding, string>> = { on_its_way: 'blue', stuck: 'orange', settled: 'green', differs: 'red', resolved: 'gray' };

function useSettled(): () => void {
  const queryClient = useQueryClient();
  return () => {
    for (const name of ['settlement-batches', 'open-settlements', 'settlements-called']) void queryClient.invalidateQueries({ queryKey: [name] });
  };
}

export function SettlementBatchesRoom({ role }: { role: Role }) {
  const { t } = useText();
  const [resolving, setResolving] = useState<SettlementBatch | null>(null);
  const list = useInfiniteQuery({
    queryKey: ['settlement-batches'],
    queryFn: ({ pageParam }) => got(api.GET('/v1/settlement-batches', { params: { query: pageParam === '' ? {} : { cursor: pageParam } } })),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    refetchInterval: ({ state }) => (isMoving(state.data?.pages.flatMap((page) => page.items) ?? []) ? RUNNING_POLL_MS : false),
  });
  const items = list.data?.pages.flatMap((page) => page.items) ?? [];
  const mayAct = may(role, 'reconcile');
  return (
    <Stack>
      <Title order={1} size="h2">{t.recon.settlementBatches}</Title>
      <Text c="dimmed" size="sm">{t.recon.batch.hint}</Text>
      <Open mayAct={mayAct} />
      <ProblemNote error={list.error} onRetry={() => void list.refetch()} />
      {list.isPending && !list.isError && <Center><Loader aria-label={t.common.loading} /></Center>}
      {list.isSuccess && items.length === 0 && <Text c="dimmed" data-empty>{t.recon.batch.none}</Text>}
      {items.length > 0 && <Rows items={items} {...(mayAct ? { onResolve: setResolving } : {})} />}
      <More list={list} />
      {resolving !== null && <Resolve batch={resolving} onClose={() => setResolving(null)} />}
    </Stack>
  );
}

function isMoving(items: readonly SettlementBatch[]): boolean {
  return items.some((item) => batchStanding(item) === 'on_its_way');
}

function Open({ mayAct }: { mayAct: boolean }) {
  const { t } = useText();
  const keys = useKeys();
  const settled = useSettled();
  const open = useQuery({
    queryKey: ['open-settlements'],
    queryFn: () => got(api.GET('/v1/settlement-batches/open')),
    refetchInterval: ({ state }) => (state.data?.items.some((item) => item.waits != null) === true ? RUNNING_POLL_MS : false),
  });
  const close = useMutation({
    mutationFn: (item: { channel_account: string; rows: number; since?: number | null | undefined }) => {
      const body = { channel_account: item.channel_account };
      // What is open now is another wish than what was open before the last batch.
      return got(api.POST('/v1/settlement-batches', { params: { header: { 'Idempotency-Key': keys.of([body, item.since, item.rows]) } }, body }));
    },
    onSettled: settled,
  });
  const items = open.data?.items ?? [];
  return (
    <>
      <ProblemNote error={open.error} onRetry={() => void open.refetch()} />
      <ProblemNote error={close.error} words={t.recon.problems} />
      {open.isSuccess && items.length === 0 && <Text c="dimmed">{t.recon.batch.noAccounts}</Text>}
      {items.map((item) => (
        <Group key={item.channel_account} data-open={item.channel_account} justify="space-between">
          <Group gap="xs">
            <Text fw={600}>{item.name}</Text>
            <Text size="sm">{t.recon.batch.open}: {item.rows} {t.recon.batch.rows}</Text>
            <Totals totals={item.totals} />
            {item.waits != null && <Waits waits={item.waits} />}
          </Group>
          {mayAct && (
            <Button size="xs" data-action="close-batch" loading={close.isPending} disabled={item.rows === 0 || item.on_its_way != null}
              onClick={() => close.mutate(item)}>{t.recon.batch.close}</Button>
          )}
        </Group>
      ))}
    </>
  );
}

/** A close that payments under way hold up. */
function Waits({ waits }: { waits: NonNullable<OpenSettlement['waits']> }) {
  const { t } = useText();
  return (
    <Text size="sm" c={waits.needs_attention ? 'red' : 'orange'} data-waits>
      {waits.under_way} {t.recon.batch.waits}
      {waits.held_until != null && <> {t.recon.batch.held} <When at={waits.held_until} /></>}
      {waits.needs_attention && <> {t.recon.batch.waitsLong}</>}
    </Text>
  );
}

function Totals({ totals }: { totals: readonly SettlementTotal[] }) {
  const { t } = useText();
  return totals.map(({ currency, debits, credits }) => (
    <Text key={currency} size="sm" component="span">
      {t.recon.batch.sales} {debits.count} × <Amount money={{ minor: debits.minor, currency }} fw={400} />
      {' · '}{t.recon.batch.back} {credits.count} × <Amount money={{ minor: credits.minor, currency }} fw={400} />
    </Text>
  ));
}

function Rows({ items, onResolve }: { items: readonly SettlementBatch[]; onResolve?: (batch: SettlementBatch) => void }) {
  const { t } = useText();
  const accounts = useAccounts();
  const people = useColleagues();
  return (
    <Table.ScrollContainer minWidth={840}>
      <Table verticalSpacing="xs" data-list="settlement-batches">
        <Table.Thead>
          <Table.Tr>
            {[t.recon.account, t.recon.batch.number, t.recon.batch.closedAt, t.recon.batch.sales, t.recon.batch.standing].map((name) => <Table.Th key={name}>{name}</Table.Th>)}
            <Table.Th />
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {items.map((batch) => {
            const standing = batchStanding(batch);
            const { resolved } = batch;
            return (
              <Table.Tr key={batch.id} data-batch={batch.id} data-standing={standing}>
                <Table.Td>{accounts.name(batch.channel_account)}</Table.Td>
                <Table.Td>{batch.sequence}</Table.Td>
                <Table.Td><When at={batch.closed_at} /> · {people.name(batch.closed_by)}</Table.Td>
                <Table.Td>
                  <Totals totals={batch.totals} />
                  {batch.channel_totals != null && <Text size="sm" c="red">{t.recon.batch.theirs}: <Totals totals={batch.channel_totals} /></Text>}
                </Table.Td>
                <Table.Td>
                  <Badge color={COLORS[standing]} variant="light" tt="none" miw="max-content">{t.recon.batch.standings[standing]}</Badge>
                  {batch.sent != null && <Text size="xs">{batch.sent} / {batch.rows} {t.recon.batch.sent}</Text>}
                  {batch.why != null && <Text size="xs" style={{ overflowWrap: 'anywhere' }}>{batch.why}</Text>}
                  {resolved != null && <Text size="xs">{t.recon.batch.seen}: {resolved.reason} · {people.name(resolved.by)}</Text>}
                </Table.Td>
                <Table.Td>
                  {batch.needs_attention && onResolve !== undefined && (
                    <Button size="compact-xs" variant="subtle" data-action="resolve" onClick={() => onResolve(batch)}>{t.recon.batch.resolve}</Button>
                  )}
                </Table.Td>
              </Table.Tr>
            );
          })}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Resolve({ batch, onClose }: { batch: SettlementBatch; onClose: () => void }) {
  const { t } = useText();
  const keys = useKeys();
  const settled = useSettled();
  const [reason, setReason] = useState('');
  const resolve = useMutation({
    mutationFn: () => {
      const body = { reason: reason.trim(), version: batch.version };
      const params = { path: { settlement_batch: batch.id }, header: { 'Idempotency-Key': keys.of(body) } };
      return got(api.POST('/v1/settlement-batches/{settlement_batch}/resolve', { params, body }));
    },
    onSuccess: onClose,
    onSettled: settled,
  });
  const isReady = reason.trim() !== '';
  return (
    <Modal opened onClose={onClose} title={t.recon.batch.resolveTitle} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack component="form" data-question="resolve-batch" onSubmit={(event) => {
        event.preventDefault();
        if (isReady && !resolve.isPending) resolve.mutate();
      }}>
        <Text size="sm">{t.recon.batch.resolveText}</Text>
        <TextInput label={t.recon.reason} name="reason" data-autofocus required maxLength={128} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
        <ProblemNote error={resolve.error} words={t.recon.problems} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>{t.recon.keep}</Button>
          <Button type="submit" loading={resolve.isPending} disabled={!isReady} data-action="yes">{t.recon.batch.resolve}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
