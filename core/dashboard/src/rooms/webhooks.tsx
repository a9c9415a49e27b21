// Where the merchant's own systems hear of events: the endpoints, and new ones with their secret.

import { Anchor, Badge, Button, Card, Center, Checkbox, Group, Loader, Modal, MultiSelect, Stack, Text, TextInput, Title } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'react-router';
import { api, got, type WebhookEndpoint, type WebhookEventType } from '../api/client';
import { useKeys } from '../api/wish';
import { ProblemNote } from '../parts/problem';
import { SecretOnce } from '../parts/secret';
import { Ago } from '../parts/show';
import { useText, wordFor } from '../text/text';

/** What an endpoint can be subscribed to; a trial goes to whoever asks for it. */
const EVENT_TYPES = [
  'payment.created', 'payment.presenting', 'payment.pending', 'payment.unknown', 'payment.succeeded', 'payment.failed',
  'payment.reversed', 'payment.expired', 'payment.cancelled', 'refund.created', 'refund.pending', 'refund.unknown',
  'refund.succeeded', 'refund.failed', 'dispute.opened', 'dispute.updated', 'dispute.closed',
  'settlement_batch.needs_attention', 'settlement_close.needs_attention',
  'stored_value.double_spent',
] as const satisfies readonly WebhookEventType[];

export function WebhooksRoom() {
  const { t } = useText();
  const [adding, setAdding] = useState(false);
  const [secret, setSecret] = useState<string | null>(null);
  const list = useQuery({
    queryKey: ['webhooks'],
    queryFn: async () => (await got(api.GET('/v1/webhook-endpoints'))).items,
  });
  return (
    <Stack>
      <Group justify="space-between">
        <Title order={1} size="h2">{t.webhooks.title}</Title>
        <Button data-action="add-webhook" onClick={() => setAdding(true)}>{t.webhooks.add}</Button>
      </Group>
      <Text c="dimmed" size="sm">{t.webhooks.hint}</Text>
      <ProblemNote error={list.error} onRetry={() => void list.refetch()} />
      {list.isPending && !list.isError && <Center><Loader /></Center>}
      {list.data?.length === 0 && <Text c="dimmed">{t.webhooks.none}</Text>}
      {list.data?.map((endpoint) => <EndpointCard key={endpoint.id} endpoint={endpoint} />)}
      {adding && (
        <NewEndpoint
          onClose={() => setAdding(false)}
          onMade={(made) => {
            setAdding(false);
            setSecret(made);
          }}
        />
      )}
      {secret !== null && <Secret secret={secret} onClose={() => setSecret(null)} />}
    </Stack>
  );
}

function EndpointCard({ endpoint }: { endpoint: WebhookEndpoint }) {
  const { t } = useText();
  return (
    <Card withBorder data-webhook={endpoint.id}>
      <Group justify="space-between" wrap="nowrap" align="flex-start">
        <Stack gap={2} miw={0}>
          <Anchor component={Link} to={`/webhooks/${endpoint.id}`} style={{ overflowWrap: 'anywhere' }}>{endpoint.url}</Anchor>
          {endpoint.description !== '' && <Text size="sm">{endpoint.description}</Text>}
          <Text size="sm" c="dimmed">
            {endpoint.event_types.length === 0 ? t.webhooks.allTypes : endpoint.event_types.join(', ')}
            {endpoint.ordered && ` · ${t.webhooks.ordered}`}
          </Text>
          <Text size="sm" c="dimmed">{t.webhooks.lastSuccess}: {endpoint.last_success_at == null ? t.common.never : <Ago at={endpoint.last_success_at} />}</Text>
        </Stack>
        <Standing endpoint={endpoint} />
      </Group>
    </Card>
  );
}

export function Standing({ endpoint: { enabled, disabled_reason } }: { endpoint: WebhookEndpoint }) {
  const { t } = useText();
  const color = enabled ? 'green' : disabled_reason === 'by_person' ? 'gray' : 'red';
  const words = enabled || disabled_reason == null ? t.webhooks.enabled : wordFor(t.webhooks.reasons, disabled_reason);
  return <Badge color={color} variant="light" miw="max-content" tt="none" data-enabled={enabled}>{words}</Badge>;
}

function NewEndpoint({ onClose, onMade }: { onClose: () => void; onMade: (secret: string) => void }) {
  const { t } = useText();
  const queryClient = useQueryClient();
  const [url, setUrl] = useState('');
  const [description, setDescription] = useState('');
  const [types, setTypes] = useState<string[]>([]);
  const [ordered, setOrdered] = useState(false);
  const keys = useKeys();
  const create = useMutation({
    mutationFn: () => {
      const body = {
        url: url.trim(), description: description.trim(), ordered,
        event_types: EVENT_TYPES.filter((type) => types.includes(type)),
      };
      return got(api.POST('/v1/webhook-endpoints', { params: { header: { 'Idempotency-Key': keys.of(body) } }, body }));
    },
    onSuccess: ({ secret }) => onMade(secret),
    // Also after an answer that was lost: the endpoint may be there.
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['webhooks'] }),
  });
  const ready = url.trim() !== '';
  return (
    <Modal opened onClose={onClose} title={t.webhooks.newTitle} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack component="form" data-form="webhook" onSubmit={(event) => {
        event.preventDefault();
        if (ready && !create.isPending) create.mutate();
      }}>
        <TextInput label={t.webhooks.url} name="url" required maxLength={2_048} data-autofocus placeholder="https://" value={url}
          onChange={(event) => setUrl(event.currentTarget.value)} />
        <TextInput label={t.webhooks.description} name="description" maxLength={128} value={description}
          onChange={(event) => setDescription(event.currentTarget.value)} />
        <MultiSelect label={t.webhooks.types} placeholder={types.length === 0 ? t.webhooks.allTypes : ''} data={[...EVENT_TYPES]} value={types}
          onChange={setTypes} />
        <Checkbox label={t.webhooks.orderedHint} name="ordered" checked={ordered} onChange={(event) => setOrdered(event.currentTarget.checked)} />
        <ProblemNote error={create.error} />
        <Button type="submit" disabled={!ready} loading={create.isPending} data-action="create">{t.webhooks.add}</Button>
      </Stack>
    </Modal>
  );
}

export function Secret({ secret, onClose }: { secret: string; onClose: () => void }) {
  const { t } = useText();
  return <SecretOnce title={t.webhooks.secret} hint={t.webhooks.secretHint} secret={secret} onClose={onClose} />;
}
