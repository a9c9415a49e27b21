// What is done with an account of stored value: each deed is asked about once, says what it will do, and has one key for all its
// attempts. A change carries the version that its reader saw.

import { Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, got, type StoredValueAccount, type StoredValueMovement } from '../api/client';
import { asProblem } from '../api/problem';
import type { Keys } from '../api/wish';
import { parseMinor } from '../money/money';
import { ProblemNote } from '../parts/problem';
import { Amount } from '../parts/show';
import { type Deed, readLimits, typedLimits } from '../stored-value';
import { useText } from '../text/text';
import { LimitInputs, STORED_VALUE } from './stored-value';

export type DeedWish = { deed: Exclude<Deed, 'change'> } | { deed: 'reverse'; movement: StoredValueMovement };

interface Said {
  amountMinor: number;
  reason: string;
}

function carryOut(wish: DeedWish, account: StoredValueAccount, { amountMinor, reason }: Said, keys: Keys): Promise<unknown> {
  const path = { stored_value_account: account.id };
  const because = { reason };
  const header = { 'Idempotency-Key': keys.of([account.id, wish.deed, wish.deed === 'top_up' ? amountMinor : reason, 'movement' in wish ? wish.movement.id : '']) };
  switch (wish.deed) {
    case 'top_up':
      return got(api.POST('/v1/stored-value/accounts/{stored_value_account}/top-ups', {
        params: { path, header }, body: { amount: { minor: amountMinor, currency: account.balance.currency } },
      }));
    case 'freeze':
      return got(api.POST('/v1/stored-value/accounts/{stored_value_account}/freeze', { params: { path, header }, body: because }));
    case 'unfreeze':
      return got(api.POST('/v1/stored-value/accounts/{stored_value_account}/unfreeze', { params: { path, header }, body: because }));
    case 'close':
      return got(api.POST('/v1/stored-value/accounts/{stored_value_account}/close', { params: { path, header }, body: because }));
    case 'reverse':
      return got(api.POST('/v1/stored-value/movements/{movement}/reverse', { params: { path: { movement: wish.movement.id }, header }, body: because }));
  }
}

/** Cash moves, so that the books change too. */
function useMoved(): () => Promise<unknown> {
  const queryClient = useQueryClient();
  return () => Promise.all([STORED_VALUE, ['books']].map((queryKey) => queryClient.invalidateQueries({ queryKey })));
}

export function DeedQuestion({ wish, account, keys, onClose }: { wish: DeedWish; account: StoredValueAccount; keys: Keys; onClose: () => void }) {
  const { t } = useText();
  const { balance: { currency, minor: held } } = account;
  const [amount, setAmount] = useState('');
  const [reason, setReason] = useState('');
  const minor = parseMinor(amount, currency);
  const isTopUp = wish.deed === 'top_up';
  const done = useMutation({
    mutationFn: () => carryOut(wish, account, { amountMinor: minor ?? 0, reason: reason.trim() }, keys),
    onSuccess: () => {
      keys.done();
      onClose();
    },
    // Also after an answer that was lost: it may be done.
    onSettled: useMoved(),
  });
  const isReady = isTopUp ? minor !== null : reason.trim() !== '';
  const word = wish.deed === 'reverse' ? t.storedValue.reverse : t.storedValue.deeds[wish.deed];
  return (
    <Modal opened onClose={onClose} title={`${word} · ${account.holder}`} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack component="form" data-question={wish.deed} onSubmit={(event) => {
        event.preventDefault();
        if (isReady && !done.isPending) done.mutate();
      }}>
        <Text size="sm">
          {wish.deed === 'reverse' ? t.storedValue.reverseText : t.storedValue.texts[wish.deed]}
          {wish.deed === 'reverse' && <> <Amount money={wish.movement.amount} /></>}
          {wish.deed === 'close' && <> <Amount money={account.balance} />. {t.storedValue.closeHint}</>}
        </Text>
        {isTopUp
          ? (
            <>
              <TextInput label={`${t.storedValue.amount} (${currency})`} name="amount" inputMode="decimal" required data-autofocus value={amount}
                error={amount !== '' && minor === null ? t.storedValue.badAmount : null} onChange={(event) => setAmount(event.currentTarget.value)} />
              {minor !== null && <Text size="sm">{t.storedValue.willHold}: <Amount money={{ currency, minor: held + minor }} /></Text>}
            </>
          )
          : (
            <TextInput label={t.storedValue.reason} description={t.storedValue.reasonHint} name="reason" required maxLength={128} data-autofocus value={reason}
              onChange={(event) => setReason(event.currentTarget.value)} />
          )}
        <ProblemNote error={done.error} words={t.storedValue.problems} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>{t.storedValue.keep}</Button>
          <Button type="submit" color={isTopUp || wish.deed === 'unfreeze' ? 'teal' : 'red'} disabled={!isReady} loading={done.isPending} data-action="yes">{word}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}

/** The holder's name and the limits, as they were when the form was opened: what somebody else has changed since is not undone. */
export function ChangeAccount({ seen, onReload, onClose }: { seen: StoredValueAccount; onReload: () => void; onClose: () => void }) {
  const { t } = useText();
  const { currency } = seen.balance;
  const [holder, setHolder] = useState(seen.holder);
  const [typed, setTyped] = useState(() => typedLimits(seen.limits, currency));
  const limits = readLimits(typed, currency);
  const change = useMutation({
    mutationFn: () => got(api.PATCH('/v1/stored-value/accounts/{stored_value_account}', {
      params: { path: { stored_value_account: seen.id } }, body: { version: seen.version, holder: holder.trim(), limits: limits ?? {} },
    })),
    onSuccess: onClose,
    onSettled: useMoved(),
  });
  const isOld = change.error !== null && asProblem(change.error).code === 'changed_meanwhile';
  const isReady = holder.trim() !== '' && limits !== null && !isOld;
  const reload = (): void => {
    onReload();
    onClose();
  };
  return (
    <Modal opened onClose={onClose} title={`${t.storedValue.deeds.change} · ${seen.holder}`} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack component="form" data-form="change" onSubmit={(event) => {
        event.preventDefault();
        if (isReady && !change.isPending) change.mutate();
      }}>
        <TextInput label={t.storedValue.holder} name="holder" required maxLength={128} data-autofocus value={holder} onChange={(event) => setHolder(event.currentTarget.value)} />
        <LimitInputs typed={typed} currency={currency} onTyped={setTyped} />
        <ProblemNote error={change.error} words={t.storedValue.problems} {...(isOld ? { onRetry: reload, action: t.common.reload } : {})} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>{t.common.cancel}</Button>
          <Button type="submit" disabled={!isReady} loading={change.isPending} data-action="yes">{t.storedValue.save}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
