// What is done with an account of stored value: each deed is asked about once, says what it will do, and is one
// intent until core has answered. A change carries the version that its reader saw.

import { Button, Group, Loader, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { api, got, type Money, type StoredValueAccount, type StoredValueMovement } from '../api/client';
import { type Intent, useIntent, useUnanswered } from '../api/intent';
import { asProblem } from '../api/problem';
import { editableMinor, parseMinor } from '../money/money';
import { ProblemNote } from '../parts/problem';
import { Amount, When } from '../parts/show';
import { AskedAgain } from '../parts/unanswered';
import { type Deed, readLimits, typedLimits } from '../stored-value';
import { useText } from '../text/text';
import { LimitInputs, STORED_VALUE } from './stored-value';

/** As it is kept until core has answered. */
export type Said =
  | { deed: 'top_up'; amount: Money }
  | { deed: 'freeze' | 'unfreeze' | 'close'; reason: string }
  | { deed: 'reverse'; movement: string; amount: Money; reason: string };

/** A question about an account: a deed anew, or one that had no answer. */
export type Asking = { deed: Exclude<Deed, 'change'> } | { deed: 'reverse'; movement: StoredValueMovement } | { again: Intent<Said> };

export function placeOf(account: string): string {
  return `stored-value/${account}`;
}

/** What the answer says: the movement of those that name one. */
async function carryOut(account: string, said: Said, key: string): Promise<StoredValueMovement | null> {
  const path = { stored_value_account: account };
  const header = { 'Idempotency-Key': key };
  switch (said.deed) {
    case 'top_up':
      return got(api.POST('/v1/stored-value/accounts/{stored_value_account}/top-ups', { params: { path, header }, body: { amount: said.amount } }));
    case 'reverse':
      return got(api.POST('/v1/stored-value/movements/{movement}/reverse', { params: { path: { movement: said.movement }, header }, body: { reason: said.reason } }));
    case 'freeze':
      await got(api.POST('/v1/stored-value/accounts/{stored_value_account}/freeze', { params: { path, header }, body: { reason: said.reason } }));
      return null;
    case 'unfreeze':
      await got(api.POST('/v1/stored-value/accounts/{stored_value_account}/unfreeze', { params: { path, header }, body: { reason: said.reason } }));
      return null;
    case 'close':
      await got(api.POST('/v1/stored-value/accounts/{stored_value_account}/close', { params: { path, header }, body: { reason: said.reason } }));
      return null;
  }
}

/** Cash moves, so that the books change too. */
function useMoved(): () => Promise<unknown> {
  const queryClient = useQueryClient();
  return () => Promise.all([STORED_VALUE, ['books']].map((queryKey) => queryClient.invalidateQueries({ queryKey })));
}

export function useDeedWords(): (deed: Said['deed']) => string {
  const { t } = useText();
  return (deed) => (deed === 'reverse' ? t.storedValue.reverse : t.storedValue.deeds[deed]);
}

export function DeedQuestion({ asking, account, onClose }: { asking: Asking; account: StoredValueAccount; onClose: () => void }) {
  const { t } = useText();
  const wordOf = useDeedWords();
  const first = 'again' in asking ? asking.again : null;
  const deed = 'again' in asking ? asking.again.said.deed : asking.deed;
  const { currency } = account.balance;
  // As it was when the question was put: what has moved since may be this very deed, whose answer was lost.
  const [held] = useState(account.balance);
  const [amount, setAmount] = useState(first?.said.deed === 'top_up' ? editableMinor(first.said.amount.minor, currency) : '');
  const [reason, setReason] = useState(first !== null && 'reason' in first.said ? first.said.reason : '');
  const [isAskedAgain, setIsAskedAgain] = useState(first !== null);
  const intent = useIntent(placeOf(account.id), first);
  const others = useUnanswered<Said>(placeOf(account.id)).filter(({ said }) => said.deed === deed).length;
  const minor = parseMinor(amount, currency);
  const taken = first?.said.deed === 'reverse' ? first.said : 'movement' in asking ? { movement: asking.movement.id, amount: asking.movement.amount } : null;
  const say = (): Said => {
    if (deed === 'top_up') return { deed, amount: { minor: minor ?? 0, currency } };
    if (deed === 'reverse') return { deed, movement: taken?.movement ?? '', amount: taken?.amount ?? held, reason: reason.trim() };
    return { deed, reason: reason.trim() };
  };
  const done = useMutation({
    mutationFn: () => {
      setIsAskedAgain(intent.isInDoubt);
      return intent.send(say(), (said, key) => carryOut(account.id, said, key));
    },
    // Also after an answer that was lost: it may be done.
    onSettled: useMoved(),
  });
  const isTold = done.isSuccess && (isAskedAgain || deed === 'close' || deed === 'reverse');
  const isOver = done.isSuccess && !isTold;
  useEffect(() => {
    if (isOver) onClose();
  }, [isOver, onClose]);
  const isFixed = intent.isInDoubt || done.isPending;
  const isReady = intent.isInDoubt || (deed === 'top_up' ? minor !== null : reason.trim() !== '');
  const word = wordOf(deed);
  const leave = (): void => {
    if (!done.isPending) onClose();
  };
  return (
    <Modal opened onClose={leave} title={`${word} · ${account.holder}`} closeButtonProps={{ 'aria-label': t.common.close }}>
      {isTold ? <Outcome deed={deed} account={account.id} movement={done.data} onClose={onClose} /> : (
        <Stack component="form" data-question={deed} onSubmit={(event) => {
          event.preventDefault();
          if (isReady && !done.isPending) done.mutate();
        }}>
          <Text size="sm">
            {deed === 'reverse' ? t.storedValue.reverseText : t.storedValue.texts[deed]}
            {taken !== null && <> <Amount money={taken.amount} /></>}
            {deed === 'close' && !intent.isInDoubt && first === null && <> <Amount money={account.balance} /></>}
          </Text>
          <AskedAgain isInDoubt={intent.isInDoubt} others={done.isPending ? 0 : others} />
          {deed === 'top_up'
            ? (
              <>
                <TextInput label={`${t.storedValue.amount} (${currency})`} name="amount" inputMode="decimal" required data-autofocus disabled={isFixed} value={amount}
                  error={amount !== '' && minor === null ? t.storedValue.badAmount : null} onChange={(event) => setAmount(event.currentTarget.value)} />
                {minor !== null && !intent.isInDoubt && first === null && <Text size="sm">{t.storedValue.willHold}: <Amount money={{ currency, minor: held.minor + minor }} /></Text>}
              </>
            )
            : (
              <TextInput label={t.storedValue.reason} description={t.storedValue.reasonHint} name="reason" required maxLength={128} data-autofocus disabled={isFixed} value={reason}
                onChange={(event) => setReason(event.currentTarget.value)} />
            )}
          <ProblemNote error={done.error} words={t.storedValue.problems} />
          <Group justify="flex-end">
            <Button variant="default" disabled={done.isPending} onClick={leave}>{intent.isInDoubt ? t.common.close : t.storedValue.keep}</Button>
            <Button type="submit" color={deed === 'top_up' || deed === 'unfreeze' ? 'teal' : 'red'} disabled={!isReady} loading={done.isPending} data-action="yes">
              {intent.isInDoubt ? t.unanswered.again : word}
            </Button>
          </Group>
        </Stack>
      )}
    </Modal>
  );
}

/** What core has answered: cash leaves the safe by this and by nothing that was thought before. */
function Outcome({ deed, account, movement, onClose }: { deed: Said['deed']; account: string; movement: StoredValueMovement | null; onClose: () => void }) {
  const { t } = useText();
  return (
    <Stack data-outcome={deed}>
      {deed === 'close' && <PaidOut account={account} words={t.storedValue.payNow} />}
      {deed === 'reverse' && movement !== null && (
        <Text fw={600} data-pay={-movement.amount.minor}>{t.storedValue.giveNow} <Amount money={{ ...movement.amount, minor: -movement.amount.minor }} size="lg" /></Text>
      )}
      {deed === 'top_up' && movement !== null && <Text data-booked={movement.id}>{t.storedValue.bookedAt} <When at={movement.at} />: <Amount money={movement.amount} /></Text>}
      {(deed === 'freeze' || deed === 'unfreeze') && <Text>{t.storedValue.doneAlready}</Text>}
      <Group justify="flex-end"><Button data-action="done" onClick={onClose}>{t.storedValue.done}</Button></Group>
    </Stack>
  );
}

/** The sum that core paid out of a closed account: nothing moves in it afterwards, so that it is the newest movement, if there is one. */
export function PaidOut({ account, words }: { account: string; words: string }) {
  const { t } = useText();
  const newest = useQuery({
    queryKey: [...STORED_VALUE, 'paid-out', account],
    queryFn: async () => (await got(api.GET('/v1/stored-value/accounts/{stored_value_account}/statement', {
      params: { path: { stored_value_account: account }, query: { limit: 1 } },
    }))).items,
  });
  const paid = newest.data?.find(({ kind }) => kind === 'paid_out');
  return (
    <>
      <ProblemNote error={newest.error} onRetry={() => void newest.refetch()} />
      {newest.isPending && !newest.isError && <Loader size="sm" aria-label={t.common.loading} />}
      {newest.isSuccess && paid === undefined && <Text data-pay="0">{t.storedValue.payNothing}</Text>}
      {paid !== undefined && (
        <Text fw={600} data-pay={-paid.amount.minor}>{words} <Amount money={{ ...paid.amount, minor: -paid.amount.minor }} size="lg" /></Text>
      )}
    </>
  );
}

/** The holder's name and the limits, as they were when the form was opened: what somebody else has changed since is not undone. */
export function ChangeAccount({ seen, onReload, onClose }: { seen: StoredValueAccount; onReload: () => void; onClose: () => void }) {
  const { t } = useText();
  const { currency } = seen.balance;
  const [holder, setHolder] = useState(seen.holder);
  const [typed, setTyped] = useState(() => typedLimits(seen.limits, currency));
  const limits = readLimits(typed, currency);
  // Core takes limits that this form cannot read: they stand as long as nobody touches them.
  const hasLimits = JSON.stringify(typed) !== JSON.stringify(typedLimits(seen.limits, currency));
  const change = useMutation({
    mutationFn: () => got(api.PATCH('/v1/stored-value/accounts/{stored_value_account}', {
      params: { path: { stored_value_account: seen.id } }, body: { version: seen.version, holder: holder.trim(), ...(hasLimits && limits !== null ? { limits } : {}) },
    })),
    onSuccess: onClose,
    onSettled: useMoved(),
  });
  const isOld = change.error !== null && asProblem(change.error).code === 'changed_meanwhile';
  const isReady = holder.trim() !== '' && (limits !== null || !hasLimits) && !isOld;
  const reload = (): void => {
    onReload();
    onClose();
  };
  const leave = (): void => {
    if (!change.isPending) onClose();
  };
  return (
    <Modal opened onClose={leave} title={`${t.storedValue.deeds.change} · ${seen.holder}`} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack component="form" data-form="change" onSubmit={(event) => {
        event.preventDefault();
        if (isReady && !change.isPending) change.mutate();
      }}>
        <TextInput label={t.storedValue.holder} name="holder" required maxLength={128} data-autofocus value={holder} onChange={(event) => setHolder(event.currentTarget.value)} />
        <LimitInputs typed={typed} currency={currency} isFixed={change.isPending} onTyped={setTyped} />
        <ProblemNote error={change.error} words={t.storedValue.problems} {...(isOld ? { onRetry: reload, action: t.common.reload } : {})} />
        <Group justify="flex-end">
          <Button variant="default" disabled={change.isPending} onClick={leave}>{t.common.cancel}</Button>
          <Button type="submit" disabled={!isReady} loading={change.isPending} data-action="yes">{t.storedValue.save}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
