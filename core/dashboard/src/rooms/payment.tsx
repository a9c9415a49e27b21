// One payment: where it stands, what happened to it, what it did to the books, and what may be done.

import { Alert, Anchor, Card, Center, Code, Grid, Group, Loader, Stack, Table, Text, Timeline as Line, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Fragment, type ReactNode } from 'react';
import { Link, useParams } from 'react-router';
import { api, got, type Payment, type PostingSet, type Refund, type TimelineEvent } from '../api/client';
import type { Person } from '../api/session';
import { formatMinor } from '../money/money';
import { ProblemNote } from '../parts/problem';
import { Amount, StateBadge, When } from '../parts/show';
import { leftMinor } from '../payments';
import { useText, wordFor } from '../text/text';
import { moment } from '../time';
import { PaymentActions } from './payment-actions';
import { useNames } from './payments';
import { AttentionNote, Settlements } from './settlements';

export function PaymentRoom({ person }: { person: Person }) {
  const { t } = useText();
  const { payment: id = '' } = useParams();
  const timeline = useQuery({
    queryKey: ['payment', id],
    queryFn: () => got(api.GET('/v1/payments/{payment}/timeline', { params: { path: { payment: id } } })),
  });
  if (timeline.isPending) return <Center mt="xl"><Loader /></Center>;
  if (timeline.data === undefined) return <ProblemNote error={timeline.error} onRetry={() => void timeline.refetch()} />;
  const { payment, refunds, events, posting_sets: sets } = timeline.data;
  return (
    <Stack data-payment={payment.id}>
      <Anchor component={Link} to="/payments" size="sm">← {t.payments.title}</Anchor>
      <ProblemNote error={timeline.error} onRetry={() => void timeline.refetch()} />
      <Group justify="space-between" align="flex-start">
        <div>
          <Group gap="sm">
            <Title order={1} size="h2"><Amount money={payment.amount} size="xl" fw={700} /></Title>
            <StateBadge payment={payment} />
          </Group>
          <Code>{payment.id}</Code>
        </div>
        <PaymentActions payment={payment} role={person.role} />
      </Group>
      {payment.state === 'unknown' && <Alert color="orange">{t.payment.unknownNote}</Alert>}
      <AttentionNote payment={payment} person={person}
        attention={payment.needs_attention ?? refunds.find((refund) => refund.needs_attention != null)?.needs_attention} />
      {payment.paid_by_hand && <Alert color="orange">{t.hand.byHandNote}</Alert>}
      {payment.paid_late && <Alert color="orange">{t.payment.lateNote}</Alert>}
      {payment.failure != null && (
        <Alert color="red" title={t.payment.failure}>{payment.failure.message} <Code>{payment.failure.code}</Code></Alert>
      )}
      <Grid>
        <Grid.Col span={{ base: 12, md: 5 }}>
          <Stack>
            <Facts payment={payment} />
            <Refunds refunds={refunds} />
            <Settlements payment={payment} refunds={refunds} person={person} />
            <Order payment={payment} />
          </Stack>
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 7 }}>
          <Stack>
            <Events events={events} />
            <Postings sets={sets} feePlan={timeline.data.fee_plan_version} />
          </Stack>
        </Grid.Col>
      </Grid>
    </Stack>
  );
}

function Room({ title, children, name }: { title: string; children: ReactNode; name: string }) {
  return (
    <Card withBorder data-part={name} style={{ overflowX: 'auto' }}>
      <Title order={2} size="h4" mb="sm">{title}</Title>
      {children}
    </Card>
  );
}

function Facts({ payment }: { payment: Payment }) {
  const { t, locale } = useText();
  const disputedMinor = payment.disputed_minor ?? 0;
  const names = useNames();
  const at = (time: number | null | undefined): string | undefined => (time == null ? undefined : moment(time, locale));
  const sum = (minor: number): string => `${formatMinor(minor, payment.amount.currency)} ${payment.amount.currency}`;
  const facts: [string, ReactNode][] = [
    [t.payments.method, wordFor(t.methods, payment.method)],
    [t.payments.channel, payment.channel],
    [t.payment.channelReference, payment.channel_reference],
    [t.payments.store, names.store(payment.store)],
    [t.payments.terminal, payment.terminal == null ? undefined : names.terminal(payment.terminal)],
    [t.payment.counter, payment.counter],
    [t.payment.cashier, payment.cashier],
    [t.payments.reference, payment.reference],
    [t.payment.refunded, payment.refunded_minor > 0 ? sum(payment.refunded_minor) : undefined],
    [t.payment.disputed, disputedMinor > 0 ? sum(disputedMinor) : undefined],
    [t.payment.left, payment.refunded_minor + disputedMinor > 0 ? sum(leftMinor(payment)) : undefined],
    [t.common.created, at(payment.created_at)],
    [t.payment.paidAt, at(payment.paid_at)],
    [t.payment.code, payment.state !== 'presenting' || payment.code_url == null ? undefined : (
      <Anchor href={payment.code_url} target="_blank" rel="noreferrer" size="sm" data-code>{payment.code_url}</Anchor>
    )],
    [t.staticCodes.one, payment.static_code],
    [t.payment.expires, at(payment.expires_at)],
    [t.common.updated, at(payment.updated_at)],
    [t.payment.order, payment.order],
    [t.payment.version, payment.version],
    [t.payment.goods, payment.goods.length === 0 ? undefined : <Goods payment={payment} />],
  ];
  return (
    <Room title={t.payment.facts} name="facts">
      <Table withRowBorders={false} verticalSpacing={4}>
        <Table.Tbody>
          {facts.filter(([, value]) => value != null && value !== '').map(([name, value]) => (
            <Table.Tr key={name}>
              <Table.Td c="dimmed" w={130}>{name}</Table.Td>
              <Table.Td style={{ overflowWrap: 'anywhere' }}>{value}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Room>
  );
}

function Goods({ payment }: { payment: Payment }) {
  const { t } = useText();
  const show = (minor: number): string => formatMinor(minor, payment.amount.currency);
  // Two lines may be the same, and none moves.
  return payment.goods.map((goods, line) => {
    const off = (goods.discount_minor ?? 0) + (goods.sale_discount_minor ?? 0);
    const pieces = `${t.payment.quantity}${goods.quantity} · ${show(goods.price_minor)}`;
    const much = goods.weight_grams == null ? pieces : `${(goods.weight_grams / 1_000).toFixed(3)} kg × ${show(goods.price_minor)}/kg`;
    return (
      <div key={line}>
        {goods.name} {much}
        {off > 0 && ` · −${show(off)}`}
        {goods.tax != null && ` · ${goods.tax.name} ${goods.tax.basis_points / 100}%`}
      </div>
    );
  });
}

function Refunds({ refunds }: { refunds: readonly Refund[] }) {
  const { t } = useText();
  return (
    <Room title={t.payment.refunds} name="refunds">
      {refunds.length === 0 && <Text c="dimmed" size="sm">{t.payment.noRefunds}</Text>}
      <Table verticalSpacing={4}>
        <Table.Tbody>
          {refunds.map((refund) => (
            <Table.Tr key={refund.id} data-refund={refund.state}>
              <Table.Td><When at={refund.created_at} /></Table.Td>
              <Table.Td>{t.refundKinds[refund.kind]}</Table.Td>
              <Table.Td><Amount money={refund.amount} /></Table.Td>
              <Table.Td>
                {t.refundStates[refund.state]}
                {refund.failure != null && <Text size="xs" c="red">{refund.failure.message}</Text>}
                {refund.reason != null && <Text size="xs" c="dimmed">{refund.reason}</Text>}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Room>
  );
}

/** The other ways in which the same order was or is to be paid, if there are any. */
function Order({ payment }: { payment: Payment }) {
  const { t } = useText();
  const order = useQuery({
    queryKey: ['order', payment.order, payment.version],
    queryFn: () => got(api.GET('/v1/orders/{order}', { params: { path: { order: payment.order } } })),
  });
  if (order.data === undefined || order.data.payments.length < 2) return null;
  return (
    <Room title={`${t.payment.order}: ${wordFor(t.orderStates, order.data.state)}`} name="order">
      {order.data.payments.map((other) => (
        <Group key={other.id} gap="xs">
          <Anchor component={Link} to={`/payments/${other.id}`} size="sm">{other.channel} · {other.id}</Anchor>
          <StateBadge payment={other} />
        </Group>
      ))}
    </Room>
  );
}

/** What an event says beside its kind; an empty object says nothing. */
function saysMore(data: unknown): boolean {
  return data !== null && data !== undefined && !(typeof data === 'object' && Object.keys(data).length === 0);
}

function Events({ events }: { events: readonly TimelineEvent[] }) {
  const { t, locale } = useText();
  const names = useNames();
  return (
    <Room title={t.payment.timeline} name="timeline">
      <Line active={events.length} bulletSize={14} lineWidth={2}>
        {events.map((event) => (
          <Line.Item key={event.sequence} title={wordFor(t.events, event.kind)} data-event={event.kind}>
            <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
              {moment(event.at, locale)} · {t.payment.by} {wordFor(t.actors, names.terminal(event.actor))} · v{event.version}
              {event.refund != null && ` · ${event.refund}`}
            </Text>
            {saysMore(event.data) && (
              <details>
                <Text component="summary" size="xs" c="dimmed" style={{ cursor: 'pointer' }}>{t.payment.details}</Text>
                <Code block>{JSON.stringify(event.data, null, 2)}</Code>
              </details>
            )}
          </Line.Item>
        ))}
      </Line>
    </Room>
  );
}

function Postings({ sets, feePlan }: { sets: readonly PostingSet[]; feePlan: number | null | undefined }) {
  const { t } = useText();
  return (
    <Room title={t.payment.postings} name="postings">
      {feePlan != null && <Text c="dimmed" size="xs">{t.payment.feePlan}: {feePlan}</Text>}
      {sets.length === 0 && <Text c="dimmed" size="sm">{t.payment.noPostings}</Text>}
      {sets.length > 0 && (
        <Table verticalSpacing={4}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t.payment.account}</Table.Th>
              <Table.Th ta="right">{t.payment.debit}</Table.Th>
              <Table.Th ta="right">{t.payment.credit}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {sets.map((set, idx) => (
              <Fragment key={`${set.at}${set.kind}${idx}`}>
                <Table.Tr>
                  <Table.Td colSpan={3} c="dimmed"><When at={set.at} /> · {wordFor(t.postingKinds, set.kind)}</Table.Td>
                </Table.Tr>
                {set.postings.map(({ account, money }) => (
                  <Table.Tr key={`${account}${money.minor}`} data-posting={account}>
                    <Table.Td pl="lg">{wordFor(t.accounts, account)}</Table.Td>
                    <Table.Td ta="right">{money.minor > 0 && <Amount money={money} fw={400} />}</Table.Td>
                    <Table.Td ta="right">{money.minor < 0 && <Amount money={{ ...money, minor: -money.minor }} fw={400} />}</Table.Td>
                  </Table.Tr>
                ))}
              </Fragment>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </Room>
  );
}
