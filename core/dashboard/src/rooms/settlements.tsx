// A payment that its channel leaves open: what is known, and two persons who may say how it ended.

import { Alert, Button, Card, Group, Select, Stack, Table, Text, TextInput, Title } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, got, type Attention, type Payment, type Refund, type Settlement } from '../api/client';
import type { Person } from '../api/session';
import { idempotencyKey } from '../api/wish';
import { ProblemNote } from '../parts/problem';
import { When } from '../parts/show';
import { openForHand } from '../payments';
import { useText } from '../text/text';
import { moment } from '../time';

export function AttentionNote({ attention, payment, person }: { attention: Attention | null | undefined; payment: Payment; person: Person }) {
  const { t, locale } = useText();
  if (attention == null) return null;
  const said = attention.last_said ?? t.hand.nothingSaid;
  const at = attention.last_said_at == null ? '' : ` (${moment(attention.last_said_at, locale)})`;
  return (
    <Alert color="red" title={t.hand.attention} data-attention>
      <Text size="sm">{t.hand.since} {moment(attention.since, locale)} · {t.hand.asked} {attention.asked}</Text>
      <Text size="sm">{t.hand.lastSaid}: {said}{at}</Text>
      {attention.next_attempt_at != null && <Text size="sm">{t.hand.nextAsk} {moment(attention.next_attempt_at, locale)}</Text>}
      {/* What core goes on asking about ends by the channel's word. */}
      {attention.next_attempt_at == null && person.role === 'owner' && <Attend payment={payment} />}
    </Alert>
  );
}

function Attend({ payment }: { payment: Payment }) {
  const { t } = useText();
  const queryClient = useQueryClient();
  const [reason, setReason] = useState('');
  const attend = useMutation({
    mutationFn: () => {
      const params = { path: { payment: payment.id }, header: { 'Idempotency-Key': idempotencyKey() } };
      return got(api.POST('/v1/payments/{payment}/attend', { params, body: { reason: reason.trim() } }));
    },
    onSettled: () => {
      void queryClient.invalidateQueries({ queryKey: ['payment', payment.id] });
      void queryClient.invalidateQueries({ queryKey: ['payments'] });
    },
  });
  return (
    <Group mt="xs" align="flex-end">
      <TextInput size="xs" w={280} label={t.hand.whatWasDone} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
      <Button size="xs" data-action="attend" disabled={reason.trim() === ''} loading={attend.isPending} onClick={() => attend.mutate()}>
        {t.hand.attend}
      </Button>
      <ProblemNote error={attend.error} />
    </Group>
  );
}

export function Settlements({ payment, refunds, person }: { payment: Payment; refunds: readonly Refund[]; person: Person }) {
  const { t } = useText();
  const queryClient = useQueryClient();
  const params = { path: { payment: payment.id } };
  const list = useQuery({
    queryKey: ['settlements', payment.id, payment.version],
    queryFn: async () => (await got(api.GET('/v1/payments/{payment}/settlements', { params }))).items,
  });
  const again = () => {
    void queryClient.invalidateQueries({ queryKey: ['settlements', payment.id] });
    void queryClient.invalidateQueries({ queryKey: ['payment', payment.id] });
  };
  const decide = useMutation({
    mutationFn: ({ id, how }: { id: string; how: 'confirm' | 'withdraw' }): Promise<unknown> => {
      const about = { params: { path: { settlement: id }, header: { 'Idempotency-Key': idempotencyKey() } } };
      return got(how === 'confirm' ? api.POST('/v1/settlements/{settlement}/confirm', about) : api.POST('/v1/settlements/{settlement}/withdraw', about));
    },
    onSettled: again,
  });
  const open = openForHand(payment, refunds);
  const known = list.data ?? [];
  const waits = known.some((settlement) => settlement.state === 'proposed');
  if (known.length === 0 && (open.length === 0 || person.role !== 'owner')) return null;
  return (
    <Card withBorder data-part="settlements">
      <Title order={4} mb="sm">{t.hand.title}</Title>
      <ProblemNote error={list.error ?? decide.error} />
      <Table verticalSpacing={4}>
        <Table.Tbody>
          {known.map((settlement) => (
            <Line key={settlement.id} settlement={settlement} person={person} busy={decide.isPending}
              onDecide={(how) => decide.mutate({ id: settlement.id, how })} />
          ))}
        </Table.Tbody>
      </Table>
      {person.role === 'owner' && open.length > 0 && !waits && <Propose payment={payment} open={open} onDone={again} />}
    </Card>
  );
}

function Line({ settlement, person, busy, onDecide }: {
  settlement: Settlement; person: Person; busy: boolean; onDecide: (how: 'confirm' | 'withdraw') => void;
}) {
  const { t } = useText();
  const mayConfirm = ['owner', 'manager', 'accountant'].includes(person.role);
  return (
    <Table.Tr data-settlement={settlement.state}>
      <Table.Td><When at={settlement.proposed_at} /></Table.Td>
      <Table.Td>
        {settlement.outcome === 'paid' ? t.hand.paid : t.hand.notPaid} {settlement.reference}
        <Text size="xs" c="dimmed">{settlement.reason} · {settlement.proposed_by}{settlement.decided_by != null && ` · ${settlement.decided_by}`}</Text>
        {settlement.why != null && <Text size="xs" c="red">{settlement.why}</Text>}
      </Table.Td>
      <Table.Td>{t.hand.states[settlement.state] ?? settlement.state}</Table.Td>
      <Table.Td>
        {settlement.state === 'proposed' && mayConfirm && (
          <Group gap="xs" justify="flex-end">
            {settlement.proposed_by !== person.id && (
              <Button size="xs" color="red" loading={busy} data-action="confirm-settlement" onClick={() => onDecide('confirm')}>{t.hand.confirm}</Button>
            )}
            <Button size="xs" variant="default" disabled={busy} data-action="withdraw-settlement" onClick={() => onDecide('withdraw')}>{t.hand.withdraw}</Button>
          </Group>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

function Propose({ payment, open, onDone }: { payment: Payment; open: readonly string[]; onDone: () => void }) {
  const { t } = useText();
  const [about, setAbout] = useState(open[0] ?? payment.id);
  const [chosen, setChosen] = useState<'paid' | 'not_paid'>('paid');
  // What was called paid can only be taken back.
  const takesBack = payment.paid_by_hand === true && about === payment.id;
  const outcome = takesBack ? 'not_paid' : chosen;
  const [reference, setReference] = useState('');
  const [reason, setReason] = useState('');
  const [key] = useState(idempotencyKey);
  const wish = useMutation({
    mutationFn: () => got(api.POST('/v1/payments/{payment}/settlements', {
      params: { path: { payment: payment.id }, header: { 'Idempotency-Key': key } },
      body: {
        outcome, reason: reason.trim(),
        ...(reference.trim() === '' ? {} : { reference: reference.trim() }),
        ...(about === payment.id ? {} : { refund: about }),
      },
    })),
    onSuccess: onDone,
  });
  const isReady = reason.trim() !== '' && (outcome === 'not_paid' || reference.trim() !== '');
  return (
    <Stack component="form" gap="xs" mt="sm" data-question="settle" onSubmit={(event) => {
      event.preventDefault();
      if (isReady && !wish.isPending) wish.mutate();
    }}>
      <Text size="sm" c="dimmed">{t.hand.hint}</Text>
      {open.length > 1 && <Select label={t.hand.about} allowDeselect={false} data={[...open]} value={about} onChange={(value) => setAbout(value ?? payment.id)} />}
      <Select label={t.hand.outcome} name="outcome" allowDeselect={false} value={outcome}
        data={[...(takesBack ? [] : [{ value: 'paid', label: t.hand.paid }]), { value: 'not_paid', label: t.hand.notPaid }]}
        onChange={(value) => setChosen(value === 'not_paid' ? 'not_paid' : 'paid')} />
      <TextInput label={t.hand.reference} name="reference" maxLength={128} value={reference} onChange={(event) => setReference(event.currentTarget.value)} />
      <TextInput label={t.hand.reason} name="settle-reason" maxLength={128} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
      <ProblemNote error={wish.error} />
      <Group justify="flex-end">
        <Button type="submit" size="sm" color="red" loading={wish.isPending} disabled={!isReady} data-action="propose-settlement">{t.hand.propose}</Button>
      </Group>
    </Stack>
  );
}
