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

const COLORS: Readonly<Record<BatchStanding, string>> = { on_its_way: 'blue', stuck: 'orange', settled: 'green', differs: 'red', resolved: 'gray', cancelled: 'gray' };

/** What a person is asked the reason of. */
type Question =
  | { kind: 'resolve' | 'cancel'; batch: SettlementBatch }
  | { kind: 'cancel-close'; account: string; since: number };

function useSettled(): () => void {
  const queryClient = useQueryClient();
  return () => {
    for (const name of ['settlement-batches', 'open-settlements', 'settlements-called']) void queryClient.invalidateQueries({ queryKey: [name] });
  };
}

export function SettlementBatchesRoom({ role }: { role: Role }) {
  const { t } = useText();
  const [question, setQuestion] = useState<Question | null>(null);
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
      <Open {...(mayAct ? { onAsk: setQuestion } : {})} />
      <ProblemNote error={list.error} onRetry={() => void list.refetch()} />
      {list.isPending && !list.isError && <Center><Loader aria-label={t.common.loading} /></Center>}
      {list.isSuccess && items.length === 0 && <Text c="dimmed" data-empty>{t.recon.batch.none}</Text>}
      {items.length > 0 && <Rows items={items} {...(mayAct ? { onAsk: setQuestion } : {})} />}
      <More list={list} />
      {question !== null && <Reason question={question} onClose={() => setQuestion(null)} />}
    </Stack>
  );
}

function isMoving(items: readonly SettlementBatch[]): boolean {
  return items.some((item) => batchStanding(item) === 'on_its_way');
}

function Open({ onAsk }: { onAsk?: (question: Question) => void }) {
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
          {onAsk !== undefined && (
            <Group gap="xs">
              {item.waits != null && <TakeBack question={{ kind: 'cancel-close', account: item.channel_account, since: item.waits.since }} onAsk={onAsk} />}
              <Button size="xs" data-action="close-batch" loading={close.isPending} disabled={item.rows === 0 || item.on_its_way != null}
                onClick={() => close.mutate(item)}>{t.recon.batch.close}</Button>
            </Group>
          )}
        </Group>
      ))}
    </>
  );
}

function TakeBack({ question, onAsk }: { question: Question; onAsk: (question: Question) => void }) {
  const { t } = useText();
  return <Button size="compact-xs" variant="subtle" data-action={question.kind} onClick={() => onAsk(question)}>{t.recon.batch.cancel}</Button>;
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

function Rows({ items, onAsk }: { items: readonly SettlementBatch[]; onAsk?: (question: Question) => void }) {
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
                  {batch.needs_attention && onAsk !== undefined && (
                    <Button size="compact-xs" variant="subtle" data-action="resolve" onClick={() => onAsk({ kind: 'resolve', batch })}>{t.recon.batch.resolve}</Button>
                  )}
                  {batch.cancellable && onAsk !== undefined && <TakeBack question={{ kind: 'cancel', batch }} onAsk={onAsk} />}
                </Table.Td>
              </Table.Tr>
            );
          })}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Reason({ question, onClose }: { question: Question; onClose: () => void }) {
  const { t } = useText();
  const keys = useKeys();
  const settled = useSettled();
  const [reason, setReason] = useState('');
  const words = question.kind === 'resolve'
    ? { title: t.recon.batch.resolveTitle, text: t.recon.batch.resolveText, yes: t.recon.batch.resolve }
    : { title: t.recon.batch.cancelTitle, text: t.recon.batch.cancelText, yes: t.recon.batch.cancel };
  const answer = useMutation({
    mutationFn: () => answered(question, reason.trim(), keys),
    onSuccess: onClose,
    onSettled: settled,
  });
  const isReady = reason.trim() !== '';
  return (
    <Modal opened onClose={onClose} title={words.title} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack component="form" data-question={`${question.kind}-batch`} onSubmit={(event) => {
        event.preventDefault();
        if (isReady && !answer.isPending) answer.mutate();
      }}>
        <Text size="sm">{words.text}</Text>
        <TextInput label={t.recon.reason} name="reason" data-autofocus required maxLength={128} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
        <ProblemNote error={answer.error} words={t.recon.problems} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>{t.recon.keep}</Button>
          <Button type="submit" loading={answer.isPending} disabled={!isReady} data-action="yes">{words.yes}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}

function answered(question: Question, reason: string, keys: ReturnType<typeof useKeys>): Promise<unknown> {
  if (question.kind === 'cancel-close') {
    const body = { channel_account: question.account, since: question.since, reason };
    return got(api.POST('/v1/settlement-batches/open/cancel', { params: { header: { 'Idempotency-Key': keys.of(body) } }, body }));
  }
  const { batch } = question;
  const body = { reason, version: batch.version };
  const params = { path: { settlement_batch: batch.id }, header: { 'Idempotency-Key': keys.of(body) } };
  return question.kind === 'resolve'
    ? got(api.POST('/v1/settlement-batches/{settlement_batch}/resolve', { params, body }))
    : got(api.POST('/v1/settlement-batches/{settlement_batch}/cancel', { params, body }));
}
