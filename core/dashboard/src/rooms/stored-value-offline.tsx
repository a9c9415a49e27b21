// What tills take without a network: the policy, codes that were too much, and a person's word about each.

import { Anchor, Button, Card, Center, Checkbox, Group, Loader, Paper, Stack, Switch, Table, Text, TextInput, Title } from '@mantine/core';
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'react-router';
import { api, type DoubleSpend, got, type OfflinePolicy } from '../api/client';
import type { Intent } from '../api/intent';
import type { Person } from '../api/session';
import { AccountChoice } from '../parts/account-choice';
import { type Ending, EndingQuestion } from '../parts/ending';
import { More } from '../parts/more';
import { ProblemNote } from '../parts/problem';
import { Amount, When } from '../parts/show';
import { Unanswered } from '../parts/unanswered';
import { Who } from '../parts/who';
import { may } from '../rights';
import { isSum, OFFLINE_LIMITS, readOfflineLimit, readOfflineLimits, typedOfflineLimits } from '../stored-value-offline';
import { useText, wordFor } from '../text/text';
import { STORED_VALUE } from './stored-value';

const POLICY = [...STORED_VALUE, 'offline-policy'];
/** Where double spends are resolved. */
const RESOLVED = 'stored-value/double-spends';

type Resolved = Ending<'recover'>;

export function OfflineRoom({ person, currency }: { person: Person; currency: string }) {
  const { t } = useText();
  const shown = useQuery({ queryKey: POLICY, queryFn: () => got(api.GET('/v1/stored-value/offline-policy')) });
  return (
    <Stack>
      <Title order={1} size="h2">{t.storedValue.offline.title}</Title>
      <Text c="dimmed" size="sm">{t.storedValue.offline.hint}</Text>
      <ProblemNote error={shown.error} onRetry={() => void shown.refetch()} />
      {shown.isPending && !shown.isError && <Center><Loader aria-label={t.common.loading} /></Center>}
      {shown.data !== undefined && <Policy key={shown.data.version} policy={shown.data} currency={currency} isOwn={may(person.role, 'manage_stored_value')}
        seesAccounts={may(person.role, 'manage_people')} />}
      <DoubleSpends person={person} />
    </Stack>
  );
}

/** `seesAccounts`: others keep the account that an owner has named. */
function Policy({ policy, currency, isOwn, seesAccounts }: { policy: OfflinePolicy; currency: string; isOwn: boolean; seesAccounts: boolean }) {
  const { t } = useText();
  const queryClient = useQueryClient();
  const [isOn, setIsOn] = useState(policy.enabled);
  const [account, setAccount] = useState(policy.channel_account ?? '');
  const [typed, setTyped] = useState(typedOfflineLimits(policy.limits, currency));
  const limits = readOfflineLimits(typed, currency);
  const set = useMutation({
    // As it is now or was before: a repeat sets the same once more.
    mutationFn: () => got(api.PUT('/v1/stored-value/offline-policy', { body: { enabled: isOn, channel_account: account, ...(limits === null ? {} : { limits }) } })),
    onSuccess: (now) => queryClient.setQueryData(POLICY, now),
  });
  const isReady = account !== '' && limits !== null;
  return (
    <Card withBorder data-policy={policy.version} data-enabled={policy.enabled}>
      <Stack component="form" data-form="offline-policy" onSubmit={(event) => {
        event.preventDefault();
        if (isOwn && isReady && !set.isPending) set.mutate();
      }}>
        <Switch label={t.storedValue.offline.enabled} disabled={!isOwn || set.isPending} checked={isOn} name="enabled" onChange={(event) => setIsOn(event.currentTarget.checked)} />
        <AccountChoice label={t.storedValue.offline.account} hint={t.storedValue.offline.accountHint} value={account} isFixed={!isOwn || set.isPending}
          seesAccounts={seesAccounts} onChange={setAccount} />
        {OFFLINE_LIMITS.map((name) => (
          <TextInput key={name} name={name} label={isSum(name) ? `${t.storedValue.offline.limits[name]} (${currency})` : t.storedValue.offline.limits[name]} inputMode="decimal" required
            disabled={!isOwn || set.isPending} value={typed[name]} error={readOfflineLimit(name, typed[name], currency) === null ? t.storedValue.offline.badLimit : null}
            onChange={({ currentTarget: { value } }) => setTyped({ ...typed, [name]: value })} />
        ))}
        <ProblemNote error={set.error} />
        {set.isSuccess && <Text size="sm" data-told role="status">{t.storedValue.offline.told}</Text>}
        {isOwn && <Group><Button type="submit" disabled={!isReady} loading={set.isPending} data-action="save-policy">{t.storedValue.save}</Button></Group>}
      </Stack>
    </Card>
  );
}

function DoubleSpends({ person }: { person: Person }) {
  const { t } = useText();
  const [isAll, setIsAll] = useState(false);
  const [asking, setAsking] = useState<{ spend: Pick<DoubleSpend, 'payment'>; again: Intent<Resolved> | null } | null>(null);
  const list = useInfiniteQuery({
    queryKey: [...STORED_VALUE, 'double-spends', isAll],
    initialPageParam: '',
    queryFn: ({ pageParam }) => got(api.GET('/v1/stored-value/double-spends', { params: { query: { open: !isAll, ...(pageParam === '' ? {} : { cursor: pageParam }) } } })),
    getNextPageParam: (page) => page.next_cursor ?? null,
  });
  const spends = list.data?.pages.flatMap(({ items }) => items) ?? [];
  const isOwn = may(person.role, 'manage_stored_value');
  return (
    <Stack data-part="double-spends">
      <Group justify="space-between">
        <Title order={2} size="h4">{t.storedValue.offline.doubleSpends}</Title>
        <Checkbox label={t.storedValue.offline.resolvedToo} checked={isAll} name="resolved" onChange={(event) => setIsAll(event.currentTarget.checked)} />
      </Group>
      <Text c="dimmed" size="sm">{t.storedValue.offline.doubleSpendsHint}</Text>
      <Unanswered<Resolved> place={RESOLVED} words={({ payment }) => `${t.storedValue.offline.resolve} · ${payment}`} anew={() => null}
        onAgain={(again) => setAsking({ spend: again.said, again })} />
      <ProblemNote error={list.error} onRetry={() => void list.refetch()} />
      {list.isSuccess && spends.length === 0 && <Text c="dimmed" data-empty>{t.storedValue.offline.noDoubleSpends}</Text>}
      {spends.length > 0 && (
        <Paper withBorder>
          <Table.ScrollContainer minWidth={640}>
            <Table verticalSpacing="xs" data-list="double-spends">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{t.storedValue.when}</Table.Th>
                  <Table.Th>{t.storedValue.what}</Table.Th>
                  {[t.storedValue.amount, t.storedValue.offline.cost].map((head) => <Table.Th key={head} ta="right">{head}</Table.Th>)}
                  <Table.Th />
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {spends.map((spend) => <Spend key={spend.payment} spend={spend} person={person} {...(isOwn ? { onResolve: () => setAsking({ spend, again: null }) } : {})} />)}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        </Paper>
      )}
      <More list={list} />
      {asking !== null && <Resolve payment={asking.spend.payment} first={asking.again} onClose={() => setAsking(null)} />}
    </Stack>
  );
}

function Spend({ spend, person, onResolve }: { spend: DoubleSpend; person: Person; onResolve?: () => void }) {
  const { t } = useText();
  const { amount, covered, resolution } = spend;
  return (
    <Table.Tr data-double-spend={spend.payment} data-why={spend.why}>
      <Table.Td><When at={spend.sold_at} /></Table.Td>
      <Table.Td>
        {wordFor(t.storedValue.offline.why, spend.why)}
        <Text size="xs"><Anchor component={Link} to={`/stored-value/accounts/${spend.account}`} size="xs">{t.storedValue.offline.holderAccount}</Anchor> · <Anchor component={Link} to={`/payments/${spend.payment}`} size="xs">{t.storedValue.offline.sale}</Anchor></Text>
        {resolution != null && (
          <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
            {t.storedValue.offline.resolved}: {resolution.reason} · <Who id={resolution.by} person={person} /> · {t.storedValue.offline.recovered} <Amount money={{ ...amount, minor: resolution.recovered_minor }} fw={400} />
          </Text>
        )}
      </Table.Td>
      <Table.Td ta="right"><Amount money={amount} fw={400} /></Table.Td>
      <Table.Td ta="right"><Amount money={{ ...amount, minor: amount.minor - covered.minor }} /></Table.Td>
      <Table.Td ta="right">
        {resolution == null && onResolve !== undefined && (
          <Button size="compact-xs" variant="subtle" data-action="resolve" onClick={onResolve}>{t.storedValue.offline.resolve}</Button>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

function Resolve({ payment, first, onClose }: { payment: string; first: Intent<Resolved> | null; onClose: () => void }) {
  const { t } = useText();
  const { resolve: title, resolveText: text, recover: also, problems } = t.storedValue.offline;
  return (
    <EndingQuestion place={RESOLVED} begins={{ payment, recover: false, reason: '' }} first={first} also="recover" changes={[STORED_VALUE, ['books']]} onClose={onClose}
      words={{ title, text, also, reason: t.storedValue.reason, keep: t.storedValue.keep, problems }}
      send={(said, key) => got(api.POST('/v1/stored-value/double-spends/{payment}/resolve', {
        params: { path: { payment: said.payment }, header: { 'Idempotency-Key': key } }, body: { recover: said.recover, reason: said.reason },
      }))} />
  );
}
