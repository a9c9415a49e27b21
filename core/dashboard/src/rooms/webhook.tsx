// One endpoint: what was sent to it and what it answered, sending that once more, another secret, switching it off.

import { Badge, Button, Card, Center, Checkbox, Code, Group, Loader, Modal, Paper, Select, Stack, Table, Text, TextInput, Title } from '@mantine/core';
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Fragment, useState } from 'react';
import { useNavigate, useParams } from 'react-router';
import { api, got, type WebhookDelivery, type WebhookDeliveryState, type WebhookEndpoint } from '../api/client';
import { useKeys } from '../api/wish';
import { More } from '../parts/more';
import { ProblemNote } from '../parts/problem';
import { When } from '../parts/show';
import { useText } from '../text/text';
import { moment } from '../time';
import { Secret, Standing } from './webhooks';

const PAGE_SIZE = 50;
/** How often the deliveries are asked for while somebody looks at them. */
const LOOK_EVERY_MS = 3_000;
const STATES = ['pending', 'succeeded', 'failed'] as const satisfies readonly WebhookDeliveryState[];
const COLORS: Readonly<Record<WebhookDeliveryState, string>> = { pending: 'blue', succeeded: 'green', failed: 'red' };

export function WebhookRoom() {
  const { endpoint: id = '' } = useParams();
  const params = { path: { endpoint: id } };
  const endpoint = useQuery({
    queryKey: ['webhook', id],
    queryFn: () => got(api.GET('/v1/webhook-endpoints/{endpoint}', { params })),
    refetchInterval: LOOK_EVERY_MS,
  });
  return (
    <Stack>
      <ProblemNote error={endpoint.error} onRetry={() => void endpoint.refetch()} />
      {endpoint.isPending && !endpoint.isError && <Center><Loader /></Center>}
      {endpoint.data !== undefined && (
        <>
          <Facts endpoint={endpoint.data} />
          <Deliveries endpoint={endpoint.data} />
        </>
      )}
    </Stack>
  );
}

type Wish = 'enable' | 'disable' | 'test' | 'rotate' | 'delete';

function ask(id: string, wish: Wish, key: string): Promise<unknown> {
  const params = { path: { endpoint: id } };
  const keyed = { ...params, header: { 'Idempotency-Key': key } };
  switch (wish) {
    case 'enable':
    case 'disable':
      return got(api.PATCH('/v1/webhook-endpoints/{endpoint}', { params, body: { enabled: wish === 'enable' } }));
    case 'test':
      return got(api.POST('/v1/webhook-endpoints/{endpoint}/test', { params: keyed }));
    case 'rotate':
      return got(api.POST('/v1/webhook-endpoints/{endpoint}/rotate-secret', { params: keyed, body: {} }));
    case 'delete':
      return got(api.DELETE('/v1/webhook-endpoints/{endpoint}', { params }));
  }
}

function Facts({ endpoint }: { endpoint: WebhookEndpoint }) {
  const { t, locale } = useText();
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  const [asking, setAsking] = useState<'rotate' | 'delete' | null>(null);
  const [secret, setSecret] = useState<string | null>(null);
  const keys = useKeys();
  const wish = useMutation({
    mutationFn: async (wanted: Wish) => ({ wanted, answer: await ask(endpoint.id, wanted, keys.of(wanted)) }),
    onSuccess: ({ wanted, answer }) => {
      keys.done();
      setAsking(null);
      if (wanted === 'rotate') setSecret((answer as { secret: string }).secret);
      if (wanted === 'delete') void navigate('/webhooks');
    },
    onSettled: async (_, __, wanted) => {
      await queryClient.invalidateQueries({ queryKey: ['webhooks'] });
      if (wanted === 'delete') return;
      await queryClient.invalidateQueries({ queryKey: ['webhook', endpoint.id] });
    },
  });
  const button = (wanted: Wish, label: string, color: string, onClick: () => void) => (
    <Button size="sm" variant={color === 'gray' ? 'default' : 'light'} color={color} data-action={wanted} disabled={wish.isPending}
      loading={wish.isPending && wish.variables === wanted} onClick={onClick}>{label}</Button>
  );
  return (
    <Card withBorder data-webhook={endpoint.id}>
      <Group justify="space-between" align="flex-start" mb="sm">
        <Stack gap={2} miw={0}>
          <Title order={1} size="h3" style={{ overflowWrap: 'anywhere' }}>{endpoint.url}</Title>
          {endpoint.description !== '' && <Text size="sm">{endpoint.description}</Text>}
        </Stack>
        <Standing endpoint={endpoint} />
      </Group>
      <Text size="sm">{t.webhooks.types}: {endpoint.event_types.length === 0 ? t.webhooks.allTypes : endpoint.event_types.join(', ')}</Text>
      {endpoint.ordered && <Text size="sm">{t.webhooks.orderedHint}</Text>}
      <Text size="sm">{t.webhooks.lastSuccess}: {endpoint.last_success_at == null ? t.common.never : moment(endpoint.last_success_at, locale)}</Text>
      {endpoint.disabled_at != null && <Text size="sm">{t.webhooks.disabledAt}: {moment(endpoint.disabled_at, locale)}. {t.webhooks.disabledHint}</Text>}
      {endpoint.previous_secret_until != null && (
        <Text size="sm" data-overlap>{t.webhooks.overlap} {moment(endpoint.previous_secret_until, locale)}</Text>
      )}
      <Group gap="xs" mt="sm">
        {endpoint.enabled && button('test', t.webhooks.test, 'gray', () => wish.mutate('test'))}
        {endpoint.enabled
          ? button('disable', t.webhooks.disable, 'gray', () => wish.mutate('disable'))
          : button('enable', t.webhooks.enable, 'teal', () => wish.mutate('enable'))}
        {button('rotate', t.webhooks.rotate, 'red', () => setAsking('rotate'))}
        {button('delete', t.webhooks.delete, 'red', () => setAsking('delete'))}
      </Group>
      {asking === null && <ProblemNote error={wish.error} />}
      {asking !== null && (
        <Modal opened onClose={() => setAsking(null)} title={asking === 'rotate' ? t.webhooks.rotate : t.webhooks.delete}
          closeButtonProps={{ 'aria-label': t.common.close }}>
          <Stack data-question={asking}>
            <Text size="sm">{asking === 'rotate' ? t.webhooks.rotateText : t.webhooks.deleteText}</Text>
            <ProblemNote error={wish.error} />
            <Group justify="flex-end">
              <Button variant="default" onClick={() => setAsking(null)}>{t.common.cancel}</Button>
              <Button color="red" loading={wish.isPending} data-action="yes" onClick={() => wish.mutate(asking)}>
                {asking === 'rotate' ? t.webhooks.rotate : t.webhooks.delete}
              </Button>
            </Group>
          </Stack>
        </Modal>
      )}
      {secret !== null && <Secret secret={secret} onClose={() => setSecret(null)} />}
    </Card>
  );
}

function Deliveries({ endpoint }: { endpoint: WebhookEndpoint }) {
  const { t } = useText();
  const [state, setState] = useState<WebhookDeliveryState | null>(null);
  const [open, setOpen] = useState<string | null>(null);
  const list = useInfiniteQuery({
    queryKey: ['webhook', endpoint.id, 'deliveries', state],
    initialPageParam: 0,
    queryFn: ({ pageParam }) => got(api.GET('/v1/webhook-endpoints/{endpoint}/deliveries', {
      params: {
        path: { endpoint: endpoint.id },
        query: { limit: PAGE_SIZE, ...(state === null ? {} : { state }), ...(pageParam === 0 ? {} : { cursor: pageParam }) },
      },
    })),
    getNextPageParam: (page) => (page.next_cursor == null ? null : Number(page.next_cursor)),
    refetchInterval: LOOK_EVERY_MS,
  });
  const deliveries = list.data?.pages.flatMap(({ items }) => items) ?? [];
  return (
    <Stack data-part="deliveries">
      <Group justify="space-between" align="flex-end">
        <Title order={2} size="h4">{t.webhooks.deliveries}</Title>
        <Select aria-label={t.webhooks.state} w={170} clearable placeholder={t.webhooks.allStates} value={state}
          data={STATES.map((value) => ({ value, label: t.webhooks.states[value] }))}
          onChange={(value) => setState(STATES.find((known) => known === value) ?? null)} />
      </Group>
      <ReplayRange endpoint={endpoint} />
      <ProblemNote error={list.error} onRetry={() => void list.refetch()} />
      {list.isSuccess && deliveries.length === 0 && <Text c="dimmed">{t.webhooks.noDeliveries}</Text>}
      {deliveries.length > 0 && (
        <Paper withBorder>
          <Table.ScrollContainer minWidth={300}>
            <Table verticalSpacing="xs" data-list="deliveries">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{t.webhooks.time}</Table.Th>
                  <Table.Th>{t.webhooks.event}</Table.Th>
                  <Table.Th>{t.webhooks.state}</Table.Th>
                  <Table.Th visibleFrom="sm" ta="right">{t.webhooks.attempts}</Table.Th>
                  <Table.Th visibleFrom="sm">{t.webhooks.next}</Table.Th>
                  <Table.Th />
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {deliveries.map((delivery) => (
                  <Fragment key={delivery.id}>
                    <Row delivery={delivery} open={open === delivery.id} onOpen={() => setOpen(open === delivery.id ? null : delivery.id)} />
                    {open === delivery.id && (
                      <Table.Tr>
                        <Table.Td colSpan={6}><Detail delivery={delivery} replayable={endpoint.enabled && delivery.state !== 'pending'} /></Table.Td>
                      </Table.Tr>
                    )}
                  </Fragment>
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

function Row({ delivery, open, onOpen }: { delivery: WebhookDelivery; open: boolean; onOpen: () => void }) {
  const { t } = useText();
  return (
    <Table.Tr data-delivery={delivery.state}>
      <Table.Td><When at={delivery.created_at} /></Table.Td>
      <Table.Td>{delivery.event_type}</Table.Td>
      <Table.Td><Badge color={COLORS[delivery.state]} variant="light" miw="max-content" tt="none">{t.webhooks.states[delivery.state]}</Badge></Table.Td>
      <Table.Td visibleFrom="sm" ta="right">{delivery.attempts}</Table.Td>
      <Table.Td visibleFrom="sm">{delivery.next_at == null ? '–' : <When at={delivery.next_at} />}</Table.Td>
      <Table.Td ta="right">
        <Button size="compact-sm" variant="default" aria-expanded={open} data-action="detail" onClick={onOpen}>{t.webhooks.detail}</Button>
      </Table.Td>
    </Table.Tr>
  );
}

/** What was sent, and what came back each time. */
function Detail({ delivery, replayable }: { delivery: WebhookDelivery; replayable: boolean }) {
  const { t, locale } = useText();
  const queryClient = useQueryClient();
  const params = { path: { delivery: delivery.id } };
  const detail = useQuery({
    queryKey: ['webhook', delivery.endpoint, 'delivery', delivery.id, delivery.attempts, delivery.state],
    queryFn: () => got(api.GET('/v1/webhook-deliveries/{delivery}', { params })),
  });
  const keys = useKeys();
  const replay = useMutation({
    mutationFn: () => got(api.POST('/v1/webhook-deliveries/{delivery}/replay', {
      params: { ...params, header: { 'Idempotency-Key': keys.of(delivery.id) } },
    })),
    onSuccess: keys.done,
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['webhook', delivery.endpoint] }),
  });
  return (
    <Stack gap="xs" data-part="delivery">
      <Text size="xs" c="dimmed">webhook-id: {delivery.event}</Text>
      <ProblemNote error={detail.error ?? replay.error} />
      {detail.data?.attempts.map((attempt) => (
        <div key={attempt.number} data-attempt={attempt.status ?? 'none'}>
          <Text size="sm">
            {attempt.number}. {moment(attempt.at, locale)} · {attempt.status ?? t.webhooks.noAnswer} · {attempt.duration_ms} ms
          </Text>
          {attempt.error != null && <Text size="xs" c="red">{attempt.error}</Text>}
          {attempt.body != null && <Code block tabIndex={0} mah={160} style={{ overflow: 'auto', overflowWrap: 'anywhere', whiteSpace: 'pre-wrap' }}>{attempt.body}</Code>}
        </div>
      ))}
      {detail.data !== undefined && (
        <Code block tabIndex={0} mah={320} data-payload style={{ overflow: 'auto', overflowWrap: 'anywhere', whiteSpace: 'pre-wrap' }}>
          {JSON.stringify(detail.data.payload, null, 2)}
        </Code>
      )}
      {replayable && (
        <Group justify="flex-end">
          <Button size="xs" variant="light" loading={replay.isPending} data-action="replay" onClick={() => replay.mutate()}>{t.webhooks.replay}</Button>
        </Group>
      )}
    </Stack>
  );
}

/** Sends once more what failed between two moments of the reader's own clock. */
function ReplayRange({ endpoint }: { endpoint: WebhookEndpoint }) {
  const { t } = useText();
  const queryClient = useQueryClient();
  const [from, setFrom] = useState('');
  const [to, setTo] = useState('');
  const [succeededToo, setSucceededToo] = useState(false);
  const range = { from: Date.parse(from), to: Date.parse(to) };
  const keys = useKeys();
  const replay = useMutation({
    mutationFn: () => {
      const body = { ...range, succeeded_too: succeededToo };
      const params = { path: { endpoint: endpoint.id }, header: { 'Idempotency-Key': keys.of(body) } };
      return got(api.POST('/v1/webhook-endpoints/{endpoint}/replay', { params, body }));
    },
    onSuccess: keys.done,
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['webhook', endpoint.id] }),
  });
  const ready = endpoint.enabled && range.from < range.to;
  return (
    <Stack gap="xs" component="form" data-form="replay-range" onSubmit={(event) => {
      event.preventDefault();
      if (ready && !replay.isPending) replay.mutate();
    }}>
      <Group align="flex-end">
        <TextInput type="datetime-local" size="xs" label={t.books.from} name="from" value={from} onChange={(event) => setFrom(event.currentTarget.value)} />
        <TextInput type="datetime-local" size="xs" label={t.books.to} name="to" value={to} onChange={(event) => setTo(event.currentTarget.value)} />
        <Checkbox size="xs" label={t.webhooks.succeededToo} name="succeeded-too" checked={succeededToo} onChange={(event) => setSucceededToo(event.currentTarget.checked)} />
        <Button type="submit" size="xs" variant="light" disabled={!ready} loading={replay.isPending} data-action="replay-range">{t.webhooks.replayRange}</Button>
      </Group>
      <ProblemNote error={replay.error} />
      {replay.data !== undefined && <Text size="sm" data-replayed={replay.data.count}>{t.webhooks.replayed}: {replay.data.count}</Text>}
    </Stack>
  );
}
