// Stored value: the accounts of those who have paid something in, found by the merchant's own number, and new ones.

import { Anchor, Badge, Button, Center, Group, Loader, Modal, Paper, Select, Stack, Table, Text, TextInput, Title } from '@mantine/core';
import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, Outlet, useLocation, useNavigate, useSearchParams } from 'react-router';
import { api, got, type NewStoredValueAccount, type StoredValueAccount } from '../api/client';
import { type Intent, useIntent, useUnanswered } from '../api/intent';
import { More } from '../parts/more';
import { ProblemNote } from '../parts/problem';
import { Amount, When } from '../parts/show';
import { AskedAgain, Unanswered } from '../parts/unanswered';
import { Ways } from '../parts/ways';
import { may, type Role } from '../rights';
import { ACCOUNT_STATES, type AccountState, isLimit, LIMITS, readLimits, type TypedLimits, typedLimits } from '../stored-value';
import { useText, wordFor } from '../text/text';

/** Lists and accounts that whatever moves or changes one of them may change. */
export const STORED_VALUE = ['stored-value'];

/** Where new accounts are asked for. */
const OPENED = 'stored-value/accounts';

/** The ways through this room. */
export function StoredValueFrame({ role }: { role: Role }) {
  const { t } = useText();
  const { pathname } = useLocation();
  const [isAtAcceptors, isOffline] = [pathname.startsWith('/stored-value/acceptors'), pathname.startsWith('/stored-value/offline')];
  const ways = [
    ['/stored-value', t.storedValue.accounts, !isAtAcceptors && !isOffline], ['/stored-value/offline', t.storedValue.offline.title, isOffline],
    ...(may(role, 'manage_people') ? [['/stored-value/acceptors', t.storedValue.acceptors, isAtAcceptors] as const] : []),
  ] as const;
  return (
    <Stack>
      <Ways title={t.storedValue.title} ways={ways} />
      <Outlet />
    </Stack>
  );
}

export function StoredValueRoom({ role, currency }: { role: Role; currency: string }) {
  const { t } = useText();
  const [search, setSearch] = useSearchParams();
  const [opening, setOpening] = useState<{ again: Intent<NewStoredValueAccount> | null } | null>(null);
  const reference = search.get('reference') ?? '';
  const state = ACCOUNT_STATES.find((known) => known === search.get('state')) ?? null;
  const [typed, setTyped] = useState(reference);
  const look = (wanted: { reference: string; state: AccountState | null }): void => {
    setSearch({ ...(wanted.reference === '' ? {} : { reference: wanted.reference }), ...(wanted.state === null ? {} : { state: wanted.state }) }, { replace: true });
  };
  const filter = { ...(reference === '' ? {} : { reference }), ...(state === null ? {} : { state }) };
  const list = useInfiniteQuery({
    queryKey: [...STORED_VALUE, 'accounts', filter],
    initialPageParam: '',
    queryFn: ({ pageParam }) =>
      got(api.GET('/v1/stored-value/accounts', { params: { query: { ...filter, ...(pageParam === '' ? {} : { cursor: pageParam }) } } })),
    getNextPageParam: (page) => page.next_cursor ?? null,
  });
  const accounts = list.data?.pages.flatMap(({ items }) => items) ?? [];
  return (
    <Stack>
      <Group justify="space-between">
        <Title order={1} size="h2">{t.storedValue.title}</Title>
        {may(role, 'serve_stored_value') && <Button data-action="open-account" onClick={() => setOpening({ again: null })}>{t.storedValue.open}</Button>}
      </Group>
      <Text c="dimmed" size="sm">{t.storedValue.hint}</Text>
      <Unanswered<NewStoredValueAccount> place={OPENED} words={({ holder }) => `${t.storedValue.open} · ${holder}`} onAgain={(again) => setOpening({ again })}
        anew={() => () => setOpening({ again: null })} />
      <Group component="form" align="flex-end" role="search" onSubmit={(event) => {
        event.preventDefault();
        look({ reference: typed.trim(), state });
      }}>
        <TextInput label={t.storedValue.find} placeholder={t.storedValue.findHint} data-input="reference" maxLength={128} value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)} />
        <Button type="submit" variant="default" data-action="find">{t.storedValue.look}</Button>
        <Select label={t.storedValue.state} w={170} clearable placeholder={t.storedValue.allStates} data-input="state" value={state}
          data={ACCOUNT_STATES.map((value) => ({ value, label: wordFor(t.storedValue.states, value) }))}
          onChange={(value) => look({ reference, state: ACCOUNT_STATES.find((known) => known === value) ?? null })} />
      </Group>
      <ProblemNote error={list.error} onRetry={() => void list.refetch()} />
      {list.isPending && !list.isError && <Center><Loader aria-label={t.common.loading} /></Center>}
      {list.isSuccess && accounts.length === 0 && (
        <Text c="dimmed" data-empty>{reference === '' && state === null ? t.storedValue.none : t.storedValue.noneLike}</Text>
      )}
      {accounts.length > 0 && <Accounts accounts={accounts} />}
      <More list={list} />
      {opening !== null && <OpenAccount usual={currency} first={opening.again} onClose={() => setOpening(null)} />}
    </Stack>
  );
}

function Accounts({ accounts }: { accounts: readonly StoredValueAccount[] }) {
  const { t } = useText();
  return (
    <Paper withBorder>
      <Table.ScrollContainer minWidth={320}>
        <Table verticalSpacing="xs" data-list="stored-value">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t.storedValue.holder}</Table.Th>
              <Table.Th visibleFrom="sm">{t.storedValue.reference}</Table.Th>
              <Table.Th>{t.storedValue.state}</Table.Th>
              <Table.Th ta="right">{t.storedValue.balance}</Table.Th>
              <Table.Th visibleFrom="sm">{t.storedValue.updated}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {accounts.map((account) => (
              <Table.Tr key={account.id} data-account={account.id}>
                <Table.Td style={{ overflowWrap: 'anywhere' }}>
                  <Anchor component={Link} to={`/stored-value/accounts/${account.id}`} size="sm">{account.holder}</Anchor>
                </Table.Td>
                <Table.Td visibleFrom="sm" style={{ overflowWrap: 'anywhere' }}>{account.reference}</Table.Td>
                <Table.Td><AccountBadge state={account.state} /></Table.Td>
                <Table.Td ta="right"><Amount money={account.balance} /></Table.Td>
                <Table.Td visibleFrom="sm"><When at={account.updated_at} /></Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Paper>
  );
}

const COLORS: Readonly<Record<string, string>> = { active: 'green', frozen: 'blue', closed: 'gray' };

export function AccountBadge({ state }: { state: string }) {
  const { t } = useText();
  return <Badge color={COLORS[state] ?? 'gray'} variant="light" tt="none" miw="max-content" data-account-state={state}>{wordFor(t.storedValue.states, state)}</Badge>;
}

export function LimitInputs({ typed, currency, isFixed, onTyped }: { typed: TypedLimits; currency: string; isFixed: boolean; onTyped: (typed: TypedLimits) => void }) {
  const { t } = useText();
  return (
    <>
      {LIMITS.map((name) => (
        <TextInput key={name} disabled={isFixed} label={`${t.storedValue.limits[name]} (${currency})`} name={name} inputMode="decimal" placeholder={t.storedValue.noLimit} value={typed[name]}
          error={isLimit(typed[name], currency) ? null : t.storedValue.badLimit} onChange={({ currentTarget: { value } }) => onTyped({ ...typed, [name]: value })} />
      ))}
      <Text size="xs" c="dimmed">{t.storedValue.limitsHint}</Text>
    </>
  );
}

function OpenAccount({ usual, first, onClose }: { usual: string; first: Intent<NewStoredValueAccount> | null; onClose: () => void }) {
  const { t } = useText();
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const [holder, setHolder] = useState(first?.said.holder ?? '');
  const [reference, setReference] = useState(first?.said.reference ?? '');
  const [currency, setCurrency] = useState(first?.said.currency ?? usual);
  const [typed, setTyped] = useState(typedLimits(first?.said.limits ?? {}, first?.said.currency ?? usual));
  const limits = readLimits(typed, currency);
  const intent = useIntent(OPENED, first);
  const others = useUnanswered(OPENED).length;
  const open = useMutation({
    mutationFn: () => {
      const said = { holder: holder.trim(), currency, limits: limits ?? {}, ...(reference.trim() === '' ? {} : { reference: reference.trim() }) };
      return intent.send(said, (body, key) => got(api.POST('/v1/stored-value/accounts', { params: { header: { 'Idempotency-Key': key } }, body })));
    },
    onSuccess: ({ id }) => navigate(`/stored-value/accounts/${id}`),
    // Also after an answer that was lost: it may be open.
    onSettled: () => queryClient.invalidateQueries({ queryKey: STORED_VALUE }),
  });
  const isReady = intent.isInDoubt || (holder.trim() !== '' && /^[A-Z]{3}$/.test(currency) && limits !== null);
  const isFixed = intent.isInDoubt || open.isPending;
  const leave = (): void => {
    if (!open.isPending) onClose();
  };
  return (
    <Modal opened onClose={leave} title={t.storedValue.open} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack component="form" data-form="account" onSubmit={(event) => {
        event.preventDefault();
        if (isReady && !open.isPending) open.mutate();
      }}>
        <AskedAgain isInDoubt={intent.isInDoubt} others={open.isPending ? 0 : others} />
        <TextInput disabled={isFixed} label={t.storedValue.holder} name="holder" required maxLength={128} data-autofocus value={holder} onChange={(event) => setHolder(event.currentTarget.value)} />
        <TextInput disabled={isFixed} label={t.storedValue.reference} description={t.storedValue.referenceHint} name="reference" maxLength={128} value={reference}
          onChange={(event) => setReference(event.currentTarget.value)} />
        <TextInput disabled={isFixed} label={t.storedValue.currency} name="currency" required maxLength={3} value={currency} onChange={(event) => setCurrency(event.currentTarget.value.toUpperCase())} />
        <LimitInputs typed={typed} currency={currency} isFixed={isFixed} onTyped={setTyped} />
        <ProblemNote error={open.error} words={t.storedValue.problems} />
        <Group justify="flex-end">
          <Button variant="default" disabled={open.isPending} onClick={leave}>{t.common.close}</Button>
          <Button type="submit" disabled={!isReady} loading={open.isPending} data-action="yes">{intent.isInDoubt ? t.unanswered.again : t.storedValue.open}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
