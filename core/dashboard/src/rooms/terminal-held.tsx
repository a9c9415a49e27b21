// What of a terminal's journal waits for a person: each entry, why core could not book it, what is at stake and what to do; and what core
// refused to take at all.

import { Anchor, Badge, Button, Card, Center, Group, Loader, Stack, Text, Title } from '@mantine/core';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link, useParams } from 'react-router';
import { api, got, type HeldEntry } from '../api/client';
import { factsOf, reasonOf } from '../held-entries';
import { More } from '../parts/more';
import { ProblemNote } from '../parts/problem';
import { Amount, When } from '../parts/show';
import { may, type Role } from '../rights';
import { useText, wordFor } from '../text/text';
import { useNames } from './payments';

/** How often the terminals' cards ask whether something waits. */
const LOOK_EVERY_MS = 60_000;
/** Entries of the audit log that are looked through at once: the most that core gives. */
const AUDIT_PAGE = 200;
const REFUSED = 'journal.entry_rejected';

function heldOf(terminal: string, cursor = '') {
  return got(api.GET('/v1/terminals/{terminal}/held', { params: { path: { terminal }, query: cursor === '' ? {} : { cursor } } }));
}

/** On a terminal's card: the way to what waits, and how much. */
export function HeldLink({ terminal }: { terminal: string }) {
  const { t } = useText();
  const held = useQuery({ queryKey: ['held', terminal, 'count'], queryFn: () => heldOf(terminal), refetchInterval: LOOK_EVERY_MS });
  const count = held.data?.items.length ?? 0;
  return (
    <Group gap="xs" mt={4} data-held={held.isSuccess ? count : '?'}>
      <Anchor component={Link} to={`/terminals/${terminal}/held`} size="sm">{t.fleet.of}</Anchor>
      {count > 0 && <Badge color="red" variant="light" tt="none">{t.fleet.open} {count}{held.data?.next_cursor != null && '+'}</Badge>}
      {held.isError && <Text size="xs" c="red">?</Text>}
    </Group>
  );
}

export function TerminalHeldRoom({ role }: { role: Role }) {
  const { t } = useText();
  const { terminal = '' } = useParams();
  const names = useNames();
  const list = useInfiniteQuery({
    queryKey: ['held', terminal, 'all'],
    queryFn: ({ pageParam }) => heldOf(terminal, pageParam),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    refetchInterval: LOOK_EVERY_MS,
  });
  const entries = list.data?.pages.flatMap(({ items }) => items) ?? [];
  return (
    <Stack>
      <Title order={1} size="h2">{t.fleet.of} · {names.terminal(terminal)}</Title>
      <Text size="sm" c="dimmed">{t.fleet.hint}</Text>
      <ProblemNote error={list.error} onRetry={() => void list.refetch()} />
      {list.isPending && !list.isError && <Center><Loader aria-label={t.common.loading} /></Center>}
      {list.isSuccess && entries.length === 0 && <Text c="dimmed" data-empty>{t.fleet.none}</Text>}
      <Stack data-list="held">
        {entries.map((entry) => <Entry key={entry.sequence} entry={entry} />)}
      </Stack>
      <More list={list} />
      {may(role, 'read_audit') && <Refused terminal={terminal} />}
    </Stack>
  );
}

function Entry({ entry }: { entry: HeldEntry }) {
  const { t } = useText();
  const { kind, amount, payment, counter, batch, cashier } = factsOf(entry);
  const reason = reasonOf(entry);
  const facts = [
    counter === null ? null : `${t.fleet.sale} #${counter}`, batch === null ? null : `${t.fleet.batch} ${batch}`, cashier === null ? null : `${t.fleet.cashier} ${cashier}`,
  ].filter((fact) => fact !== null);
  return (
    <Card withBorder data-held-entry={entry.sequence} data-kind={kind} data-reason={reason}>
      <Group justify="space-between">
        <Text fw={600}>{wordFor(t.fleet.kinds, kind)} <Text span c="dimmed" size="sm">{t.fleet.journal} {entry.sequence}</Text></Text>
        {amount !== null && <Amount money={amount} />}
      </Group>
      <Text size="sm">{t.fleet.sold} <When at={entry.at} /> · {t.fleet.received} <When at={entry.received_at} />{facts.map((fact) => ` · ${fact}`)}</Text>
      <Text size="sm" mt={4} style={{ overflowWrap: 'anywhere' }}>{t.fleet.core}: <Text span inherit lang="en">{entry.why}</Text></Text>
      <Text size="sm" mt={4}><b>{t.fleet.atStake}:</b> {wordFor(t.fleet.stake, kind)}</Text>
      <Text size="sm" mt={4} data-todo><b>{t.fleet.todoTitle}:</b> {wordFor(t.fleet.todo, reason)}</Text>
      <Group gap="md" mt={4}>
        {reason === 'card' && <Anchor component={Link} to="/reconciliation/stored-cards" size="sm">{t.fleet.toCards}</Anchor>}
        {/* Where core knows no sale under this number, it says so there. */}
        {payment !== null && reason !== 'unknown' && reason !== 'number' && <Anchor component={Link} to={`/payments/${payment}`} size="sm">{t.fleet.toPayment}</Anchor>}
      </Group>
    </Card>
  );
}

/** Core keeps nothing of what it refuses but that it did, in the audit log: that is looked through as far as a person wants. */
function Refused({ terminal }: { terminal: string }) {
  const { t } = useText();
  const log = useInfiniteQuery({
    queryKey: ['audit', REFUSED],
    queryFn: ({ pageParam }) => got(api.GET('/v1/audit', { params: { query: { limit: AUDIT_PAGE, ...(pageParam === null ? {} : { before: pageParam }) } } })),
    initialPageParam: null as number | null,
    getNextPageParam: (page) => page.next_before ?? undefined,
  });
  const told = log.data?.pages.flatMap(({ items }) => items).filter(({ action, subject }) => action === REFUSED && subject === terminal) ?? [];
  return (
    <Card withBorder data-part="refused">
      <Title order={2} size="h4" mb="xs">{t.fleet.refused}</Title>
      <ProblemNote error={log.error} onRetry={() => void log.refetch()} />
      {log.isSuccess && told.length === 0 && <Text size="sm" c="dimmed" data-empty>{t.fleet.refusedNone}</Text>}
      {told.length > 0 && <Text size="sm" mb="xs">{t.fleet.refusedHint}</Text>}
      {told.map((one) => {
        const { sequence, why } = one.detail as { sequence?: number; why?: string };
        return (
          <Text key={one.sequence} size="sm" data-refused={sequence} style={{ overflowWrap: 'anywhere' }}>
            <When at={one.at} /> · {t.fleet.journal} {sequence} · <Text span inherit lang="en">{why}</Text>
          </Text>
        );
      })}
      {log.hasNextPage && <Group mt="xs"><Button size="compact-sm" variant="default" loading={log.isFetchingNextPage} data-action="look-back" onClick={() => void log.fetchNextPage()}>{t.fleet.refusedFurther}</Button></Group>}
    </Card>
  );
}
