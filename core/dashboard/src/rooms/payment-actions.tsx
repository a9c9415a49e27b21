// What may be done with a payment from here. Each wish is asked about once and has one key for all its attempts.

import { Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { api, got, type Payment } from '../api/client';
import { asProblem } from '../api/problem';
import type { Person } from '../api/session';
import { idempotencyKey } from '../api/wish';
import { editableMinor, formatMinor, parseMinor } from '../money/money';
import { ProblemNote } from '../parts/problem';
import { type Action, actionsFor, leftMinor } from '../payments';
import { useText } from '../text/text';

interface Wish {
  action: Action;
  amountMinor?: number;
  reason?: string;
}

function ask(payment: Payment, { action, amountMinor, reason }: Wish, key: string): Promise<unknown> {
  const params = { path: { payment: payment.id }, header: { 'Idempotency-Key': key } };
  const why = reason === undefined || reason === '' ? {} : { reason };
  switch (action) {
    case 'query':
      return got(api.POST('/v1/payments/{payment}/query', { params }));
    case 'cancel':
      return got(api.POST('/v1/payments/{payment}/cancel', { params }));
    case 'void':
      return got(api.POST('/v1/payments/{payment}/void', { params, body: why }));
    case 'refund': {
      const amount = { minor: amountMinor ?? 0, currency: payment.amount.currency };
      return got(api.POST('/v1/payments/{payment}/refunds', { params, body: { amount, ...why } }));
    }
  }
}

interface Sent {
  wish: Wish;
  key: string;
  /** An attempt had no answer: it may have been done. */
  inDoubt: boolean;
}

/** Refusals of the same request under the same key that show that no attempt before was carried out. */
const NOT_DONE = ['refund_exceeds', 'payment_disputed', 'not_in_state', 'void_too_late', 'channel_cannot', 'forbidden'];

/** The wish as it was first sent, and its key, as long as its outcome is in doubt; another wish, or an answer, ends it. */
function useSent(): { of: (wish: Wish) => Sent; done: () => void; refused: (status: number, code: string) => void } {
  const kept = useRef<Sent | null>(null);
  const isSame = (wish: Wish): boolean => kept.current?.wish.action === wish.action && kept.current.wish.amountMinor === wish.amountMinor;
  return {
    of: (wish) => {
      // The reason is no part of it: one that was reworded after a lost answer would give the money back a second time.
      if (kept.current === null || !isSame(wish)) kept.current = { wish, key: idempotencyKey(), inDoubt: false };
      return kept.current;
    },
    done: () => {
      kept.current = null;
    },
    refused: (status, code) => {
      if (kept.current === null || [401, 408, 429].includes(status)) return;
      if (status < 400 || status >= 500) kept.current.inDoubt = true;
      else if (!kept.current.inDoubt || NOT_DONE.includes(code)) kept.current = null;
    },
  };
}

export function PaymentActions({ payment, role }: { payment: Payment; role: Person['role'] }) {
  const { t } = useText();
  const queryClient = useQueryClient();
  const [asking, setAsking] = useState<Exclude<Action, 'query'> | null>(null);
  const sent = useSent();
  const wish = useMutation({
    mutationFn: (wanted: Wish) => {
      const { wish: first, key } = sent.of(wanted);
      return ask(payment, first, key);
    },
    onSuccess: () => {
      sent.done();
      setAsking(null);
    },
    onError: (error) => {
      const { status, code } = asProblem(error);
      sent.refused(status, code);
    },
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['payment', payment.id] }),
  });
  const actions = actionsFor(payment, role);
  return (
    <Stack gap="xs" align="flex-end">
      <Group gap="xs">
        {actions.map((action) => (
          <Button key={action} size="sm" variant={action === 'query' ? 'default' : 'light'} color={action === 'query' ? 'gray' : 'red'}
            data-action={action} loading={wish.isPending && wish.variables.action === action} disabled={wish.isPending}
            onClick={() => {
              wish.reset();
              if (action === 'query') wish.mutate({ action });
              else setAsking(action);
            }}>
            {t.actions[action]}
          </Button>
        ))}
      </Group>
      {asking === null && <ProblemNote error={wish.error} />}
      {asking !== null && (
        <Question action={asking} payment={payment} busy={wish.isPending} error={wish.error}
          onYes={(wanted) => wish.mutate(wanted)} onNo={() => setAsking(null)} />
      )}
    </Stack>
  );
}

function Question({ action, payment, busy, error, onYes, onNo }: {
  action: Exclude<Action, 'query'>; payment: Payment; busy: boolean; error: unknown; onYes: (wish: Wish) => void; onNo: () => void;
}) {
  const { t } = useText();
  const { currency } = payment.amount;
  const left = leftMinor(payment);
  const [amount, setAmount] = useState(editableMinor(left, currency));
  const [reason, setReason] = useState('');
  const minor = parseMinor(amount, currency);
  const isBad = action === 'refund' && (minor === null || minor > left);
  const titles = { cancel: t.actions.cancelTitle, void: t.actions.voidTitle, refund: t.actions.refundTitle };
  const yes = (): void => {
    if (isBad || busy) return;
    const why = reason.trim();
    onYes({ action, ...(action === 'refund' && minor !== null ? { amountMinor: minor } : {}), ...(why === '' ? {} : { reason: why }) });
  };
  return (
    <Modal opened onClose={onNo} title={titles[action]} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack component="form" data-question={action} onSubmit={(event) => {
        event.preventDefault();
        yes();
      }}>
        {action === 'cancel' && <Text size="sm">{t.actions.cancelText}</Text>}
        {action === 'void' && <Text size="sm">{t.actions.voidText}</Text>}
        {action === 'refund' && (
          <TextInput label={`${t.actions.refundAmount} (${currency})`} name="amount" inputMode="decimal" data-autofocus value={amount}
            description={`${t.actions.refundMax} ${formatMinor(left, currency)}`} error={isBad ? t.actions.badAmount : null}
            onChange={(event) => setAmount(event.currentTarget.value)} />
        )}
        {action !== 'cancel' && (
          <TextInput label={t.actions.refundReason} name="reason" maxLength={128} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
        )}
        <ProblemNote error={error} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onNo}>{t.actions.keep}</Button>
          <Button type="submit" color="red" loading={busy} disabled={isBad} data-action="yes">{t.actions[action]}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
