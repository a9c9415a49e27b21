// Stored value: the accounts of those who have paid something in, found by the merchant's own number, and new ones.

import { Anchor, Badge, Button, Center, Group, Loader, Modal, Paper, Select, Stack, Table, Text, TextInput, Title } from '@mantine/core';
import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, Outlet, useLocation, useNavigate, useSearchParams } from 'react-router';
import { api, got, type StoredValueAccount } from '../api/client';
import { type Keys, useKeys } from '../api/wish';
import { ProblemNote } from '../parts/problem';
import { Amount, When } from '../parts/show';
import { may, type Role } from '../rights';
import { ACCOUNT_STATES, type AccountState, isLimit, LIMITS, readLimits, type TypedLimits, typedLimits } from '../stored-value';
import { useText, wordFor } from '../text/text';

/** Lists and accounts that whatever moves or changes one of them may change. */
export const STORED_VALUE = ['stored-value'];

/** The ways through this room. */
export function StoredValueFrame({ role }: { role: Role }) {
  const { t } = useText();
  const { pathname } = useLocation();
  const isAtAcceptors = pathname.startsWith('/stored-value/acceptors');
  const ways = [['/stored-value', t.storedValue.accounts, !isAtAcceptors], ['/stored-value/acceptors', t.storedValue.acceptors, isAtAcceptors]] as const;
  return (
    <Stack>
      {may(role, 'manage_people') && (
        <Group component="nav" gap="xs" aria-label={t.storedValue.title}>
          {ways.map(([path, label, isHere]) => (
            <Button key={path} component={Link} to={path} size="xs" variant={isHere ? 'filled' : 'default'} data-way={path}
              {...(isHere ? { 'aria-current': 'page' as const } : {})}>{label}</Button>
          ))}
        </Group>
      )}
      <Outlet />
    </Stack>
  );
}

export function StoredValueRoom({ role, currency }: { role: Role; currency: string }) {
  const { t } = useText();
  const [search, setSearch] = useSearchParams();
  const [opening, setOpening] = useState(false);
  const reference = search.get('reference') ?? '';
  const state = ACCOUNT_STATES.find((known) => known === search.get('state')) ?? null;
  const [typed, setTyped] = useState(reference);
  // Here and not in the form: closed after a lost answer and opened again, the same words are still the same wish.
  const keys = useKeys();
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
        {may(role, 'serve_stored_value') && <Button data-action="open-account" onClick={() => setOpening(true)}>{t.storedValue.open}</Button>}
      </Group>
      <Text c="dimmed" size="sm">{t.storedValue.hint}</Text>
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
      {list.hasNextPage && (
        <Center>
          <Button variant="default" loading={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>{t.common.more}</Button>
        </Center>
      )}
      {opening && <OpenAccount usual={currency} keys={keys} onClose={() => setOpening(false)} />}
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

export function LimitInputs({ typed, currency, onTyped }: { typed: TypedLimits; currency: string; onTyped: (typed: TypedLimits) => void }) {
  const { t } = useText();
  return (
    <>
      {LIMITS.map((name) => (
        <TextInput key={name} label={`${t.storedValue.limits[name]} (${currency})`} name={name} inputMode="decimal" placeholder={t.storedValue.noLimit} value={typed[name]}
          error={isLimit(typed[name], currency) ? null : t.storedValue.badLimit} onChange={({ currentTarget: { value } }) => onTyped({ ...typed, [name]: value })} />
      ))}
      <Text size="xs" c="dimmed">{t.storedValue.limitsHint}</Text>
    </>
  );
}

function OpenAccount({ usual, keys, onClose }: { usual: string; keys: Keys; onClose: () => void }) {
  const { t } = useText();
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const [holder, setHolder] = useState('');
  const [reference, setReference] = useState('');
  const [currency, setCurrency] = useState(usual);
  const [typed, setTyped] = useState(typedLimits({}, usual));
  const limits = readLimits(typed, currency);
  const open = useMutation({
    mutationFn: () => {
      const body = { holder: holder.trim(), currency, limits: limits ?? {}, ...(reference.trim() === '' ? {} : { reference: reference.trim() }) };
      return got(api.POST('/v1/stored-value/accounts', { params: { header: { 'Idempotency-Key': keys.of(body) } }, body }));
    },
    onSuccess: ({ id }) => {
      keys.done();
      void navigate(`/stored-value/accounts/${id}`);
    },
    // Also after an answer that was lost: it may be open.
    onSettled: () => queryClient.invalidateQueries({ queryKey: STORED_VALUE }),
  });
  const isReady = holder.trim() !== '' && /^[A-Z]{3}$/.test(currency) && limits !== null;
  return (
    <Modal opened onClose={onClose} title={t.storedValue.open} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack component="form" data-form="account" onSubmit={(event) => {
        event.preventDefault();
        if (isReady && !open.isPending) open.mutate();
      }}>
        <TextInput label={t.storedValue.holder} name="holder" required maxLength={128} data-autofocus value={holder} onChange={(event) => setHolder(event.currentTarget.value)} />
        <TextInput label={t.storedValue.reference} description={t.storedValue.referenceHint} name="reference" maxLength={128} value={reference}
          onChange={(event) => setReference(event.currentTarget.value)} />
        <TextInput label={t.storedValue.currency} name="currency" required maxLength={3} value={currency} onChange={(event) => setCurrency(event.currentTarget.value.toUpperCase())} />
        <LimitInputs typed={typed} currency={currency} onTyped={setTyped} />
        <ProblemNote error={open.error} words={t.storedValue.problems} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>{t.common.cancel}</Button>
          <Button type="submit" disabled={!isReady} loading={open.isPending} data-action="yes">{t.storedValue.open}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
