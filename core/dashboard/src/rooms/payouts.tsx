// What channels paid out, beside what the bills of those days come to.

import { Badge, Button, Center, Checkbox, Group, Loader, Modal, Select, Stack, Table, Text, TextInput, Title } from '@mantine/core';
import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, got, type Payout } from '../api/client';
import { asProblem } from '../api/problem';
import { useKeys } from '../api/wish';
import { isPeriod } from '../books';
import { parseMinor } from '../money/money';
import { More } from '../parts/more';
import { ProblemNote } from '../parts/problem';
import { Amount, When } from '../parts/show';
import { yesterday } from '../reconciliation';
import { may, type Role } from '../rights';
import { useText } from '../text/text';
import { useAccounts, useColleagues } from './reconciliation';

/** Lists that a payout, or taking one back, changes. */
function usePaidOut(): () => void {
  const queryClient = useQueryClient();
  return () => {
    for (const name of ['payouts', 'discrepancies', 'reconciliation-day', 'books']) void queryClient.invalidateQueries({ queryKey: [name] });
  };
}

export function PayoutsRoom({ role, currency }: { role: Role; currency: string }) {
  const { t } = useText();
  const [entering, setEntering] = useState(false);
  const [reversing, setReversing] = useState<Payout | null>(null);
  const list = useInfiniteQuery({
    queryKey: ['payouts'],
    queryFn: ({ pageParam }) => got(api.GET('/v1/payouts', { params: { query: pageParam === '' ? {} : { cursor: pageParam } } })),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  const items = list.data?.pages.flatMap((page) => page.items) ?? [];
  const mayAct = may(role, 'reconcile');
  return (
    <Stack>
      <Group justify="space-between">
        <Title order={1} size="h2">{t.recon.payouts}</Title>
        {mayAct && <Button data-action="enter-payout" onClick={() => setEntering(true)}>{t.recon.payout.enter}</Button>}
      </Group>
      <ProblemNote error={list.error} onRetry={() => void list.refetch()} />
      {list.isPending && !list.isError && <Center><Loader aria-label={t.common.loading} /></Center>}
      {list.isSuccess && items.length === 0 && <Text c="dimmed" data-empty>{t.recon.payout.none}</Text>}
      {items.length > 0 && <Rows items={items} {...(mayAct ? { onReverse: setReversing } : {})} />}
      <More list={list} />
      {entering && <Enter currency={currency} onClose={() => setEntering(false)} />}
      {reversing !== null && <Reverse payout={reversing} onClose={() => setReversing(null)} />}
    </Stack>
  );
}

function Rows({ items, onReverse }: { items: readonly Payout[]; onReverse?: (payout: Payout) => void }) {
  const { t } = useText();
  const accounts = useAccounts();
  const people = useColleagues();
  const head = [t.recon.payout.expected, t.recon.payout.paid, t.recon.payout.difference];
  return (
    <Table.ScrollContainer minWidth={840}>
      <Table verticalSpacing="xs" data-list="payouts">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t.recon.account}</Table.Th>
            <Table.Th>{t.recon.payout.days}</Table.Th>
            <Table.Th>{t.recon.payout.reference}</Table.Th>
            {head.map((name) => <Table.Th key={name} ta="right">{name}</Table.Th>)}
            <Table.Th>{t.recon.payout.received}</Table.Th>
            <Table.Th>{t.recon.payout.enteredBy}</Table.Th>
            <Table.Th />
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {items.map((payout) => {
            const { reversed, from_day: from, to_day: to } = payout;
            return (
              <Table.Tr key={payout.id} data-payout={payout.id} data-reversed={reversed != null} {...(reversed == null ? {} : { c: 'dimmed' })}>
                <Table.Td>{accounts.name(payout.channel_account)}</Table.Td>
                <Table.Td style={{ whiteSpace: 'nowrap' }}>{from === to ? from : `${from} – ${to}`}</Table.Td>
                <Table.Td style={{ overflowWrap: 'anywhere' }}>{payout.reference}</Table.Td>
                <Table.Td ta="right"><Amount money={payout.expected} fw={400} /></Table.Td>
                <Table.Td ta="right"><Amount money={payout.amount} /></Table.Td>
                <Table.Td ta="right"><Difference payout={payout} /></Table.Td>
                <Table.Td><When at={payout.received_at} /></Table.Td>
                <Table.Td>{people.name(payout.entered_by)}</Table.Td>
                <Table.Td>
                  {reversed == null
                    ? onReverse !== undefined && (
                      <Button size="compact-xs" variant="subtle" color="red" data-action="reverse" onClick={() => onReverse(payout)}>{t.recon.payout.reverse}</Button>
                    )
                    : <Text size="xs">{t.recon.payout.reversed}: {reversed.reason} · {people.name(reversed.by)}</Text>}
                </Table.Td>
              </Table.Tr>
            );
          })}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Difference({ payout: { difference } }: { payout: Payout }) {
  const { t } = useText();
  if (difference.minor === 0) return <Text span size="sm" c="dimmed">{t.recon.payout.agrees}</Text>;
  return (
    <Badge color={difference.minor > 0 ? 'orange' : 'red'} variant="light" tt="none" miw="max-content" data-difference={difference.minor}>
      {difference.minor > 0 ? t.recon.payout.more : t.recon.payout.less} <Amount money={{ ...difference, minor: Math.abs(difference.minor) }} />
    </Badge>
  );
}

function Enter({ currency: usual, onClose }: { currency: string; onClose: () => void }) {
  const { t } = useText();
  const accounts = useAccounts();
  const keys = useKeys();
  const paidOut = usePaidOut();
  // A channel that issues no bills has none that a payout could be held against.
  const choices = accounts.items.filter(({ bill_ready_at }) => bill_ready_at != null);
  const [chosen, setChosen] = useState<string | null>(null);
  const account = chosen ?? choices[0]?.channel_account ?? '';
  const [days, setDays] = useState(() => ({ from: yesterday(new Date()), to: yesterday(new Date()) }));
  const [currency, setCurrency] = useState(usual);
  const [amount, setAmount] = useState('');
  const [reference, setReference] = useState('');
  const [received, setReceived] = useState('');
  const [further, setFurther] = useState(false);
  const receivedAt = new Date(received).getTime();
  const minor = parseMinor(amount, currency);
  const enter = useMutation({
    mutationFn: () => {
      const body = {
        channel_account: account, from_day: days.from, to_day: days.to, amount: { minor: minor ?? 0, currency }, reference: reference.trim(),
        received_at: receivedAt, further,
      };
      return got(api.POST('/v1/payouts', { params: { header: { 'Idempotency-Key': keys.of(body) } }, body }));
    },
    onSuccess: onClose,
    // Also after an answer that was lost: it may be booked.
    onSettled: paidOut,
  });
  const isReady = account !== '' && isPeriod(days) && minor !== null && reference.trim() !== '' && Number.isFinite(receivedAt);
  const overlaps = enter.error !== null && asProblem(enter.error).code === 'days_paid_out';
  return (
    <Modal opened onClose={onClose} title={t.recon.payout.enterTitle} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack component="form" data-form="payout" onSubmit={(event) => {
        event.preventDefault();
        if (isReady && !enter.isPending) enter.mutate();
      }}>
        <Text size="sm">{t.recon.payout.enterText}</Text>
        <Select label={t.recon.account} name="account" allowDeselect={false} value={account} onChange={setChosen}
          data={choices.map(({ channel_account, name }) => ({ value: channel_account, label: name }))} />
        <Group grow align="flex-start">
          <TextInput type="date" label={t.recon.payout.from} name="from" value={days.from} error={isPeriod(days) ? null : t.recon.payout.badDays}
            onChange={(event) => setDays({ ...days, from: event.currentTarget.value })} />
          <TextInput type="date" label={t.recon.payout.to} name="to" value={days.to} error={!isPeriod(days)}
            onChange={(event) => setDays({ ...days, to: event.currentTarget.value })} />
        </Group>
        <Group grow align="flex-start">
          <TextInput label={t.recon.payout.amount} name="amount" inputMode="decimal" data-autofocus required value={amount}
            error={amount !== '' && minor === null ? t.recon.payout.badAmount : null} onChange={(event) => setAmount(event.currentTarget.value)} />
          <TextInput label={t.recon.payout.currency} name="currency" required maxLength={3} value={currency}
            onChange={(event) => setCurrency(event.currentTarget.value.toUpperCase())} />
        </Group>
        <TextInput label={t.recon.payout.reference} name="reference" required maxLength={128} description={t.recon.payout.referenceHint} value={reference}
          onChange={(event) => setReference(event.currentTarget.value)} />
        <TextInput type="datetime-local" label={t.recon.payout.received} name="received" required value={received}
          onChange={(event) => setReceived(event.currentTarget.value)} />
        {(overlaps || further) && (
          <Checkbox label={t.recon.payout.further} name="further" checked={further} onChange={(event) => setFurther(event.currentTarget.checked)} />
        )}
        <ProblemNote error={enter.error} words={t.recon.problems} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>{t.recon.keep}</Button>
          <Button type="submit" loading={enter.isPending} disabled={!isReady} data-action="yes">{t.recon.payout.enter}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}

function Reverse({ payout, onClose }: { payout: Payout; onClose: () => void }) {
  const { t } = useText();
  const keys = useKeys();
  const paidOut = usePaidOut();
  const [reason, setReason] = useState('');
  const reverse = useMutation({
    mutationFn: () => {
      const body = { reason: reason.trim() };
      return got(api.POST('/v1/payouts/{payout}/reverse', { params: { path: { payout: payout.id }, header: { 'Idempotency-Key': keys.of(body) } }, body }));
    },
    onSuccess: onClose,
    onSettled: paidOut,
  });
  const isReady = reason.trim() !== '';
  return (
    <Modal opened onClose={onClose} title={t.recon.payout.reverseTitle} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack component="form" data-question="reverse" onSubmit={(event) => {
        event.preventDefault();
        if (isReady && !reverse.isPending) reverse.mutate();
      }}>
        <Text size="sm">{t.recon.payout.reverseText}</Text>
        <Text size="sm">{payout.reference}: <Amount money={payout.amount} /></Text>
        <TextInput label={t.recon.whyNeeded} name="reason" required maxLength={128} data-autofocus value={reason}
          onChange={(event) => setReason(event.currentTarget.value)} />
        <ProblemNote error={reverse.error} words={t.recon.problems} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>{t.recon.keep}</Button>
          <Button type="submit" color="red" loading={reverse.isPending} disabled={!isReady} data-action="yes">{t.recon.payout.reverse}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
