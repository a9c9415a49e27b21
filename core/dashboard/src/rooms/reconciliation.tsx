// A day of every channel account: whether the books and the channel's bill agree, both sides' figures, and the comparison
// that says so, which can be started and repeated from here.

import { Alert, Anchor, Badge, Button, Card, Center, Group, Loader, Stack, Table, Text, Title } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { Link, Outlet, useLocation, useSearchParams } from 'react-router';
import { type AccountDay, api, got, type Reconciliation } from '../api/client';
import { idempotencyKey } from '../api/wish';
import { DayInput } from '../parts/day';
import { ProblemNote } from '../parts/problem';
import { Amount, useNow, When } from '../parts/show';
import {
  dayAfter, type DayStanding, dayStanding, elapsed, figures, foundClasses, isDay, mayCompare, RUNNING_POLL_MS, searchOf, yesterday,
} from '../reconciliation';
import { may, type Role } from '../rights';
import { useText, wordFor } from '../text/text';
import { moment } from '../time';

/** The ways through this room. */
export function ReconciliationFrame() {
  const { t } = useText();
  const { pathname } = useLocation();
  const ways = [
    ['/reconciliation', t.recon.day], ['/reconciliation/discrepancies', t.recon.discrepancies],
    ['/reconciliation/payouts', t.recon.payouts], [SETTLEMENTS, t.recon.settlementBatches], ['/reconciliation/stored-cards', t.storedCards.title], ['/reconciliation/statements', t.recon.statements],
  ] as const;
  return (
    <Stack>
      <Group component="nav" gap="xs" aria-label={t.recon.title}>
        {ways.map(([path, label]) => {
          const isHere = path === '/reconciliation' ? pathname === path : pathname.startsWith(path);
          return (
            <Button key={path} component={Link} to={path} size="xs" variant={isHere ? 'filled' : 'default'} data-way={path}
              {...(isHere ? { 'aria-current': 'page' as const } : {})}>{label}</Button>
          );
        })}
      </Group>
      <Called here={pathname.startsWith(SETTLEMENTS)} />
      <Outlet />
    </Stack>
  );
}

const SETTLEMENTS = '/reconciliation/settlement-batches';
/** A batch may come to want somebody at any time, and nobody else tells those who are in another room. */
const CALLED_POLL_MS = 60_000;

/** That a batch at an acquirer waits for a person. */
function Called({ here }: { here: boolean }) {
  const { t } = useText();
  const called = useQuery({
    queryKey: ['settlements-called'],
    queryFn: () => got(api.GET('/v1/settlement-batches', { params: { query: { needs_attention: true, limit: 1 } } })),
    refetchInterval: CALLED_POLL_MS,
  });
  if ((called.data?.items ?? []).length === 0) return null;
  return (
    <Alert color="red" data-called>
      {t.recon.batch.call} {!here && <Anchor component={Link} to={SETTLEMENTS}>{t.recon.batch.callLook}</Anchor>}
    </Alert>
  );
}

function dayQuery(day: string) {
  return {
    queryKey: ['reconciliation-day', day],
    queryFn: () => got(api.GET('/v1/reconciliations/days/{day}', { params: { path: { day } } })),
  };
}

/** The channel accounts and their names: every day has all of them. */
export function useAccounts() {
  const day = useQuery({ ...dayQuery(yesterday(new Date())), staleTime: 300_000 });
  const items = day.data?.items ?? [];
  return { items, name: (id: string): string => items.find((item) => item.channel_account === id)?.name ?? id };
}

/** The merchant's people and their names; core itself, and whoever is not among them, by what they are called. */
export function useColleagues() {
  const { t } = useText();
  const people = useQuery({
    queryKey: ['colleagues'],
    queryFn: async () => (await got(api.GET('/v1/colleagues'))).items,
    staleTime: 300_000,
  });
  const items = people.data ?? [];
  return { items, error: people.error, name: (id: string): string => items.find((one) => one.id === id)?.name ?? t.actors[id] ?? id };
}

export function ReconciliationRoom({ role }: { role: Role }) {
  const { t } = useText();
  const [search, setSearch] = useSearchParams();
  const wanted = search.get('day') ?? '';
  const day = isDay(wanted) ? wanted : yesterday(new Date());
  const queryClient = useQueryClient();
  const shown = useQuery({
    ...dayQuery(day),
    refetchInterval: ({ state }) => (state.data?.items.some(({ newest }) => newest?.state === 'running') === true ? RUNNING_POLL_MS : false),
  });
  const items = shown.data?.items ?? [];
  const running = items.filter(({ newest }) => newest?.state === 'running').length;
  const before = useRef(running);
  useEffect(() => {
    // What a comparison found is in other lists of this room, which were loaded before it.
    if (running < before.current) void queryClient.invalidateQueries({ queryKey: ['discrepancies'] });
    before.current = running;
  }, [running, queryClient]);
  const now = useNow(60_000);
  const standings = items.map((item) => dayStanding(item, now));
  const without = items.filter((_, idx) => standings[idx] === 'no_bills');
  const comparable = items.length - without.length;
  const agreeing = standings.filter((standing) => standing === 'agrees' || standing === 'settled').length;
  const go = (to: string): void => setSearch({ day: to }, { replace: true });
  return (
    <Stack>
      <Group justify="space-between" align="flex-end">
        <Title order={1} size="h2">{t.recon.title}</Title>
        <Group align="flex-end" gap="xs">
          <Button size="xs" variant="default" data-action="day-before" aria-label={t.recon.before} onClick={() => go(dayAfter(day, -1))}>‹</Button>
          <DayInput label={t.recon.day} day={day} onChange={go} />
          <Button size="xs" variant="default" data-action="day-after" aria-label={t.recon.after} onClick={() => go(dayAfter(day, 1))}>›</Button>
        </Group>
      </Group>
      <Text c="dimmed" size="sm">{t.recon.dayHint}</Text>
      <ProblemNote error={shown.error} onRetry={() => void shown.refetch()} />
      {shown.isPending && !shown.isError && <Center><Loader aria-label={t.common.loading} /></Center>}
      {shown.isSuccess && items.length === 0 && <Text c="dimmed">{t.recon.noAccounts}</Text>}
      {comparable > 0 && (
        <Alert color={agreeing === comparable ? 'green' : 'orange'} data-agreeing={agreeing} role="status">
          {day}: {agreeing} / {comparable} {t.recon.agreeing}
        </Alert>
      )}
      {items.filter((_, idx) => standings[idx] !== 'no_bills').map((item) => (
        <AccountCard key={item.channel_account} item={item} day={day} role={role} now={now} />
      ))}
      {without.length > 0 && (
        <Text size="sm" c="dimmed" data-standing="no_bills">{t.recon.standings.no_bills}: {without.map(({ name }) => name).join(', ')}. {t.recon.noBillsHint}</Text>
      )}
    </Stack>
  );
}

const COLORS: Readonly<Record<DayStanding, string>> = {
  no_bills: 'gray', bill_due: 'gray', not_compared: 'yellow', running: 'blue', failed: 'red', differs: 'orange', settled: 'green', agrees: 'green',
};

function AccountCard({ item, day, role, now }: { item: AccountDay; day: string; role: Role; now: number }) {
  const { t, locale } = useText();
  const standing = dayStanding(item, now);
  const hint = {
    bill_due: `${t.recon.billDue} ${moment(item.bill_ready_at ?? 0, locale)}`, not_compared: t.recon.notComparedHint,
  }[standing as string];
  const list = (filter: { class?: string; state?: 'waiting' | 'all' }): string =>
    `/reconciliation/discrepancies?${searchOf({ account: item.channel_account, day, ...filter })}`;
  return (
    <Card withBorder data-account-day={item.channel_account} data-standing={standing}>
      <Group justify="space-between" align="flex-start" mb="xs">
        <div>
          <Title order={2} size="h4">{item.name}</Title>
          <Text size="xs" c="dimmed">{item.plugin}</Text>
        </div>
        <Group gap="xs">
          <Badge color={COLORS[standing]} variant="light" tt="none" miw="max-content">{t.recon.standings[standing]}</Badge>
          {may(role, 'reconcile') && <Start item={item} day={day} now={now} />}
        </Group>
      </Group>
      {hint !== undefined && <Text size="sm" c="dimmed">{hint}</Text>}
      {standing === 'running' && item.newest != null && <Running run={item.newest} />}
      {standing === 'failed' && (
        <Alert color="red" data-why={item.newest?.why ?? ''} mb="xs">
          <Text size="sm">{t.recon.failedHint}</Text>
          {item.newest?.why != null && <Text size="sm">{t.recon.failedWhy}: {item.newest.why}</Text>}
        </Alert>
      )}
      {item.compared?.result != null && (
        <>
          {item.newest?.id !== item.compared.id && <Text size="sm" c="dimmed">{t.recon.lastResult}</Text>}
          <Result run={item.compared} />
          <Group gap="xs" mt="xs">
            {foundClasses(item.compared).map(([name, count]) => (
              <Text key={name} size="sm" data-found={name}>{t.recon.found} {count} × {wordFor(t.recon.classes, name)}</Text>
            ))}
          </Group>
        </>
      )}
      {(item.waiting > 0 || item.compared != null) && (
        <Group gap="md" mt="xs">
          {item.waiting > 0
            ? <Anchor component={Link} to={list({})} size="sm" fw={600} data-waiting={item.waiting}>{item.waiting} {t.recon.waiting}</Anchor>
            : <Text size="sm" c="dimmed" data-waiting={0}>{t.recon.nothingWaits}</Text>}
          <Anchor component={Link} to={list({ state: 'all' })} size="sm">{t.recon.discrepancies}: {t.recon.all}</Anchor>
        </Group>
      )}
    </Card>
  );
}

function Running({ run }: { run: Reconciliation }) {
  const { t } = useText();
  const now = useNow(1_000);
  return (
    <Group gap="xs" mb="xs" data-running={run.id}>
      <Loader size="xs" aria-label={t.common.loading} />
      <Text size="sm">{t.recon.runningSince} {elapsed(run.started_at, now)}. {t.recon.runningHint}</Text>
    </Group>
  );
}

function Start({ item, day, now }: { item: AccountDay; day: string; now: number }) {
  const { t } = useText();
  const queryClient = useQueryClient();
  const start = useMutation({
    mutationFn: () => got(api.POST('/v1/reconciliations', {
      params: { header: { 'Idempotency-Key': idempotencyKey() } }, body: { channel_account: item.channel_account, day },
    })),
    // Also after an answer that was lost: it may have begun, and a day that runs is not begun a second time.
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['reconciliation-day'] }),
  });
  return (
    <Stack gap="xs" align="flex-end">
      <Button size="xs" variant={item.newest == null ? 'filled' : 'default'} data-action="compare" disabled={!mayCompare(item, now)} loading={start.isPending}
        onClick={() => start.mutate()}>{item.newest == null ? t.recon.start : t.recon.repeat}</Button>
      <ProblemNote error={start.error} words={t.recon.problems} />
    </Stack>
  );
}

function Result({ run }: { run: Reconciliation }) {
  const { t } = useText();
  const people = useColleagues();
  const lines = figures(run);
  const { result } = run;
  if (result == null) return null;
  return (
    <>
      {result.overflowed && <Alert color="red" mb="xs">{t.recon.overflowed}</Alert>}
      {lines.length > 0 && (
        <Table.ScrollContainer minWidth={480}>
          <Table verticalSpacing={4} data-list="figures">
            <Table.Thead>
              <Table.Tr>
                <Table.Th />
                {[t.recon.ours, t.recon.theirs, t.recon.difference].map((name) => <Table.Th key={name} ta="right">{name}</Table.Th>)}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {lines.map(({ currency, kind, ours, theirs, difference }) => (
                <Table.Tr key={`${currency}${kind}`} data-figure={`${currency}-${kind}`} data-differs={difference !== 0}>
                  <Table.Td>{kind === 'money' ? t.recon.money : t.recon.fee}</Table.Td>
                  <Table.Td ta="right"><Amount money={{ minor: ours, currency }} fw={400} /></Table.Td>
                  <Table.Td ta="right"><Amount money={{ minor: theirs, currency }} fw={400} /></Table.Td>
                  <Table.Td ta="right">
                    {difference === 0 ? <Text span size="sm" c="dimmed">=</Text>
                      : <Badge color="orange" variant="light" tt="none" miw="max-content"><Amount money={{ minor: difference, currency }} /></Badge>}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
      <Text size="xs" c="dimmed">
        {t.recon.comparedAt} <When at={run.ended_at ?? run.started_at} /> {t.recon.by} {people.name(run.started_by)} · {result.ours} {t.recon.counts.ours} ·{' '}
        {result.theirs} {t.recon.counts.theirs} · {result.agreed} {t.recon.counts.agreed}{result.netted > 0 && ` · ${result.netted} ${t.recon.counts.netted}`}
      </Text>
      {Object.keys(result.found).length > 0 && <Text size="xs" c="dimmed">{t.recon.asFound}</Text>}
    </>
  );
}
