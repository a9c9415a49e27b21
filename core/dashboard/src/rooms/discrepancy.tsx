// One discrepancy: ours beside theirs, what is proposed, what was decided, and what the reader may decide.

import { Anchor, Badge, Card, Center, Code, Group, Loader, Stack, Table, Text, Title } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useParams, useSearchParams } from 'react-router';
import { api, type Discrepancy, got } from '../api/client';
import type { Person } from '../api/session';
import { Correction } from '../parts/correction';
import { ProblemNote } from '../parts/problem';
import { Amount, When } from '../parts/show';
import { type Cell, compared, filterOf, neighbours, searchOf } from '../reconciliation';
import { useText, wordFor } from '../text/text';
import { moment } from '../time';
import { listed, Standing } from './discrepancies';
import { DiscrepancySteps } from './discrepancy-steps';
import { useAccounts, useColleagues } from './reconciliation';

export function DiscrepancyRoom({ person }: { person: Person }) {
  const { t } = useText();
  const { discrepancy: id = '' } = useParams();
  const shown = useQuery({
    queryKey: ['discrepancy', id],
    queryFn: () => got(api.GET('/v1/discrepancies/{discrepancy}', { params: { path: { discrepancy: id } } })),
    // Whoever decides must have seen what is, not what was.
    staleTime: 0,
  });
  return (
    <Stack>
      <Walk key={id} id={id} />
      <ProblemNote error={shown.error} onRetry={() => void shown.refetch()} />
      {shown.isPending && !shown.isError && <Center><Loader aria-label={t.common.loading} /></Center>}
      {shown.data !== undefined && (
        <Stack data-discrepancy={id} data-version={shown.data.version}>
          <Head discrepancy={shown.data} />
          <Sides discrepancy={shown.data} />
          <Proposal discrepancy={shown.data} />
          <History discrepancy={shown.data} />
          <DiscrepancySteps key={id} discrepancy={shown.data} person={person} onReload={() => void shown.refetch()} />
        </Stack>
      )}
    </Stack>
  );
}

/** Through the list that the reader came from, as it was then: what is decided leaves it, and the way goes on all the same. */
function Walk({ id }: { id: string }) {
  const { t } = useText();
  const queryClient = useQueryClient();
  const [search] = useSearchParams();
  const [way] = useState(() => neighbours(listed(queryClient, filterOf(search)), id));
  const query = searchOf(filterOf(search));
  const suffix = query === '' ? '' : `?${query}`;
  return (
    <Group gap="md" component="nav" aria-label={t.recon.discrepancies}>
      <Anchor component={Link} to={`/reconciliation/discrepancies${suffix}`} size="sm" data-action="to-list">{t.recon.toList}</Anchor>
      {way.before !== undefined && <Anchor component={Link} to={`/reconciliation/discrepancies/${way.before}${suffix}`} size="sm" data-action="previous">‹ {t.recon.previous}</Anchor>}
      {way.after !== undefined && <Anchor component={Link} to={`/reconciliation/discrepancies/${way.after}${suffix}`} size="sm" data-action="next">{t.recon.next} ›</Anchor>}
    </Group>
  );
}

function Head({ discrepancy }: { discrepancy: Discrepancy }) {
  const { t } = useText();
  const accounts = useAccounts();
  const { class: className, number, movement, day, line, state, channel_account: account } = discrepancy;
  return (
    <div>
      <Group justify="space-between" align="flex-start">
        <Title order={1} size="h2">{wordFor(t.recon.classes, className)}</Title>
        <Standing state={state} />
      </Group>
      <Text size="sm">
        {accounts.name(account)} · <Anchor component={Link} to={`/reconciliation?day=${day}`} size="sm" underline="always">{day}</Anchor>
        {line != null && ` · ${t.recon.line} ${line}`}
      </Text>
      {number != null && (
        <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
          {movement != null && `${wordFor(t.recon.movements, movement)}: `}
          {number.startsWith('pay_') ? <Anchor component={Link} to={`/payments/${number}`} size="sm" underline="always">{number}</Anchor> : number}
        </Text>
      )}
    </div>
  );
}

function Sides({ discrepancy }: { discrepancy: Discrepancy }) {
  const { t } = useText();
  const { class: className, words } = discrepancy;
  const lines = compared(discrepancy);
  const isPayout = className === 'payout';
  return (
    <Card withBorder data-part="sides">
      {lines.length > 0 && (
        <Table.ScrollContainer minWidth={420}>
          <Table verticalSpacing="xs">
            <Table.Thead>
              <Table.Tr>
                <Table.Th />
                <Table.Th ta="right">{isPayout ? t.recon.expected : t.recon.ours}</Table.Th>
                <Table.Th ta="right">{isPayout ? t.recon.arrived : t.recon.theirs}</Table.Th>
                <Table.Th />
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {lines.map(({ field, ours, theirs, differs }) => (
                <Table.Tr key={field} data-field={field} data-differs={differs} {...(differs ? { bg: 'var(--mantine-color-orange-light)' } : {})}>
                  <Table.Th scope="row">{t.recon.fields[field]}</Table.Th>
                  <Table.Td ta="right"><Value cell={ours} missing={t.recon.notHere} /></Table.Td>
                  <Table.Td ta="right"><Value cell={theirs} missing={t.recon.notThere} /></Table.Td>
                  <Table.Td>{differs && <Badge color="orange" variant="light" tt="none" miw="max-content">≠ {t.recon.differsMark}</Badge>}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
      {className === 'unreadable' && (
        <>
          <Text size="sm" mb={4}>{t.recon.unreadableText}</Text>
          <Code block style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>{words ?? ''}</Code>
        </>
      )}
      {isPayout && <Text size="sm" mt="xs">{t.recon.aPayout}: <Anchor component={Link} to="/reconciliation/payouts" size="sm" underline="always">{words}</Anchor></Text>}
    </Card>
  );
}

function Value({ cell, missing }: { cell: Cell; missing: string }) {
  const { t, locale } = useText();
  if (cell === null) return <Text span size="sm" c="dimmed">{missing}</Text>;
  if ('money' in cell) return <Amount money={cell.money} />;
  if ('at' in cell) return <Text span size="sm">{moment(cell.at, locale)}</Text>;
  const words: Readonly<Record<string, string>> = { ...t.refundStates, ...t.states, listed: t.recon.listed };
  return <Text span size="sm">{wordFor(words, cell.text)}</Text>;
}

/** What is best done, and what would be booked, in words and figures. */
function Proposal({ discrepancy }: { discrepancy: Discrepancy }) {
  const { t } = useText();
  const { fix, correction, state } = discrepancy;
  const waits = ['open', 'assigned', 'write_off_proposed'].includes(state);
  return (
    <Card withBorder data-part="proposal">
      {waits && <Text size="sm" fw={600} mb="xs" data-fix={fix}>{t.recon.fix}: {wordFor(t.recon.fixes, fix)}</Text>}
      {correction == null
        ? <Text size="sm" c="dimmed">{t.recon.nothingBooked}</Text>
        : (
          <>
            <Text size="sm" mb={4}>{waits ? t.recon.booked : t.recon.bookedDone}</Text>
            <Correction discrepancy={discrepancy} />
          </>
        )}
    </Card>
  );
}

function History({ discrepancy }: { discrepancy: Discrepancy }) {
  const { t } = useText();
  const people = useColleagues();
  const { assigned_to: assignedTo, reason, proposed_by: proposedBy, decided_by: decidedBy, found_at: foundAt, updated_at: updatedAt } = discrepancy;
  const lines = [
    [t.recon.assignedTo, assignedTo], [t.recon.proposedBy, proposedBy], [t.recon.decidedBy, decidedBy],
  ] as const;
  return (
    <Card withBorder data-part="history">
      <Title order={2} size="h4" mb="xs">{t.recon.history}</Title>
      {lines.every(([, who]) => who == null) && <Text size="sm" c="dimmed">{t.recon.notDecided}</Text>}
      {lines.map(([words, who]) => who != null && <Text key={words} size="sm">{words}: {people.name(who)}</Text>)}
      {reason != null && <Text size="sm" style={{ overflowWrap: 'anywhere' }}>{t.recon.reason}: {reason}</Text>}
      <Text size="xs" c="dimmed" mt={4}>{t.recon.foundAt} <When at={foundAt} /> · {t.common.updated} <When at={updatedAt} /></Text>
    </Card>
  );
}
