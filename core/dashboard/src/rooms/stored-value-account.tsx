// One account of stored value: what it holds and may, what can be done with it, and every movement.

import { Anchor, Button, Card, Center, Group, Loader, Paper, Stack, Table, Text, Title } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useCallback, useState } from 'react';
import { Link, useParams } from 'react-router';
import { api, got, type StoredValueAccount, type StoredValueMovement } from '../api/client';
import type { Person } from '../api/session';
import { formatMinor } from '../money/money';
import { More } from '../parts/more';
import { ProblemNote } from '../parts/problem';
import { Amount, When } from '../parts/show';
import { Unanswered } from '../parts/unanswered';
import { Who } from '../parts/who';
import { deedsFor, isReversible, LIMITS, movementsFile } from '../stored-value';
import { useText, wordFor } from '../text/text';
import { Files } from './books';
import { AccountBadge, STORED_VALUE } from './stored-value';
import { Grants } from './stored-value-grants';
import { type Asking, ChangeAccount, DeedQuestion, PaidOut, placeOf, type Said, useDeedWords } from './stored-value-deeds';

/** How often an account is asked for while somebody looks at it: what is charged elsewhere shows by itself. */
const LOOK_EVERY_MS = 5_000;

export function StoredValueAccountRoom({ person }: { person: Person }) {
  const { account: id = '' } = useParams();
  const { t } = useText();
  const shown = useQuery({
    queryKey: [...STORED_VALUE, 'account', id], refetchInterval: LOOK_EVERY_MS,
    queryFn: () => got(api.GET('/v1/stored-value/accounts/{stored_value_account}', { params: { path: { stored_value_account: id } } })),
  });
  return (
    <Stack>
      <Anchor component={Link} to="/stored-value" size="sm">← {t.storedValue.accounts}</Anchor>
      <ProblemNote error={shown.error} onRetry={() => void shown.refetch()} />
      {shown.isPending && !shown.isError && <Center><Loader aria-label={t.common.loading} /></Center>}
      {shown.data !== undefined && <Account key={id} account={shown.data} person={person} onReload={() => void shown.refetch()} />}
    </Stack>
  );
}

function Account({ account, person, onReload }: { account: StoredValueAccount; person: Person; onReload: () => void }) {
  const { t } = useText();
  const [asking, setAsking] = useState<Asking | null>(null);
  const [changing, setChanging] = useState<StoredValueAccount | null>(null);
  const wordOf = useDeedWords();
  const { currency } = account.balance;
  const words = (said: Said): string =>
    `${wordOf(said.deed)}${'amount' in said ? ` ${formatMinor(said.amount.minor, said.amount.currency)} ${said.amount.currency}` : ''}`;
  // What can be done once is asked again; only cash is paid in twice.
  const anew = (said: Said): (() => void) | null =>
    (said.deed === 'top_up' && deedsFor(account, person.role).includes('top_up') ? () => setAsking({ deed: 'top_up' }) : null);
  const close = useCallback(() => setAsking(null), []);
  return (
    <>
      <Unanswered<Said> place={placeOf(account.id)} words={words} onAgain={(again) => setAsking({ again })} anew={anew} />
      <Card withBorder data-account={account.id}>
        <Group justify="space-between" align="flex-start" mb="sm">
          <Stack gap={2} miw={0}>
            <Title order={1} size="h3" style={{ overflowWrap: 'anywhere' }}>{account.holder}</Title>
            {account.reference != null && <Text size="sm" c="dimmed">{t.storedValue.reference}: {account.reference}</Text>}
          </Stack>
          <AccountBadge state={account.state} />
        </Group>
        <Text data-balance={account.balance.minor}>{t.storedValue.balance}: <Amount money={account.balance} size="lg" /></Text>
        {account.reserved && <Text data-reserved={account.reserved.minor}>{t.storedValue.reserved}: <Amount money={account.reserved} fw={400} /></Text>}
        {account.state === 'closed' && <PaidOut account={account.id} words={t.storedValue.paidOut} />}
        {LIMITS.map((name) => {
          const minor = account.limits[name];
          return <Text key={name} size="sm" data-limit={name}>{t.storedValue.limits[name]}: {minor == null ? t.storedValue.noLimit : `${formatMinor(minor, currency)} ${currency}`}</Text>;
        })}
        <Text size="sm" c="dimmed">{t.storedValue.created}: <When at={account.created_at} /></Text>
        {deedsFor(account, person.role).length > 0 && (
          <Group gap="xs" mt="sm">
            {deedsFor(account, person.role).map((deed) => {
              const color = deed === 'top_up' ? 'teal' : deed === 'freeze' || deed === 'close' ? 'red' : 'gray';
              return (
                <Button key={deed} size="sm" variant={color === 'gray' ? 'default' : 'light'} color={color} data-action={deed}
                  onClick={() => (deed === 'change' ? setChanging(account) : setAsking({ deed }))}>{t.storedValue.deeds[deed]}</Button>
              );
            })}
          </Group>
        )}
      </Card>
      <Grants account={account} role={person.role} />
      <Statement account={account} person={person} onReverse={(movement) => setAsking({ deed: 'reverse', movement })} />
      {asking !== null && <DeedQuestion asking={asking} account={account} onClose={close} />}
      {changing !== null && <ChangeAccount seen={changing} onReload={onReload} onClose={() => setChanging(null)} />}
    </>
  );
}

function Statement({ account, person, onReverse }: {
  account: StoredValueAccount; person: Person; onReverse: (movement: StoredValueMovement) => void;
}) {
  const { t } = useText();
  const list = useInfiniteQuery({
    // With the version, so that whatever moved asks for the movements again.
    queryKey: [...STORED_VALUE, 'statement', account.id, account.version],
    initialPageParam: '',
    queryFn: ({ pageParam }) => got(api.GET('/v1/stored-value/accounts/{stored_value_account}/statement', {
      params: { path: { stored_value_account: account.id }, query: pageParam === '' ? {} : { cursor: pageParam } },
    })),
    getNextPageParam: (page) => page.next_cursor ?? null,
    placeholderData: (before) => before,
  });
  const movements = list.data?.pages.flatMap(({ items }) => items) ?? [];
  return (
    <Stack data-part="statement">
      <Group justify="space-between" align="flex-end">
        <Title order={2} size="h4">{t.storedValue.statement}</Title>
        <Files path={(format) => movementsFile(account.id, format)} />
      </Group>
      <ProblemNote error={list.error} onRetry={() => void list.refetch()} />
      {list.isSuccess && movements.length === 0 && <Text c="dimmed" data-empty>{t.storedValue.noMovements}</Text>}
      {movements.length > 0 && (
        <Paper withBorder>
          <Table.ScrollContainer minWidth={640}>
            <Table verticalSpacing="xs" data-list="movements">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{t.storedValue.when}</Table.Th>
                  <Table.Th>{t.storedValue.what}</Table.Th>
                  {[t.storedValue.amount, t.storedValue.balance].map((head) => <Table.Th key={head} ta="right">{head}</Table.Th>)}
                  <Table.Th>{t.storedValue.by}</Table.Th>
                  <Table.Th />
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {movements.map((movement) => (
                  <Movement key={movement.id} movement={movement} person={person}
                    {...(isReversible(movement, movements, account, person.role) ? { onReverse: () => onReverse(movement) } : {})} />
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        </Paper>
      )}
      <More list={list} />
    </Stack>
  );
}

function Movement({ movement, person, onReverse }: { movement: StoredValueMovement; person: Person; onReverse?: () => void }) {
  const { t } = useText();
  const { kind, acceptor, number, charge, reason } = movement;
  return (
    <Table.Tr data-movement={kind}>
      <Table.Td><When at={movement.at} /></Table.Td>
      <Table.Td>
        {wordFor(t.storedValue.kinds, kind)}
        {acceptor != null && (
          <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>{acceptor} · {t.storedValue.number} {number}{charge != null && ` · ${t.storedValue.charge} ${charge}`}</Text>
        )}
        {reason != null && <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>{reason}</Text>}
        {movement.borne_minor != null && <Text size="xs" c="dimmed">{t.storedValue.offline.borne} <Amount money={{ ...movement.amount, minor: movement.borne_minor }} fw={400} /></Text>}
      </Table.Td>
      <Table.Td ta="right"><Amount money={movement.amount} /></Table.Td>
      <Table.Td ta="right"><Amount money={movement.balance} fw={400} /></Table.Td>
      <Table.Td style={{ overflowWrap: 'anywhere' }}><Who id={movement.made_by} person={person} /></Table.Td>
      <Table.Td ta="right">
        {onReverse !== undefined && <Button size="compact-xs" variant="subtle" color="red" data-action="reverse" onClick={onReverse}>{t.storedValue.reverse}</Button>}
      </Table.Td>
    </Table.Tr>
  );
}
