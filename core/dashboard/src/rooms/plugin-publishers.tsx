// Whose signatures of plugins are believed: the platform's for everybody, a merchant's for its own.

import { Badge, Button, Card, Center, Code, Group, List, Loader, Modal, SimpleGrid, Stack, Text, Textarea, TextInput, Title } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, got, type PluginPublisher } from '../api/client';
import type { Person } from '../api/session';
import { ProblemNote } from '../parts/problem';
import { When } from '../parts/show';
import { Who } from '../parts/who';
import { servedOf } from '../plugins';
import { useText } from '../text/text';
import { isOfPlatform, PackageName, PLUGIN_LISTS, usePackages, usePublishers, useRollouts } from './plugins';

export function PublishersRoom({ person }: { person: Person }) {
  const { t } = useText();
  const [trusting, setTrusting] = useState(false);
  const [revoking, setRevoking] = useState<PluginPublisher | null>(null);
  const list = usePublishers(true);
  return (
    <Stack>
      <Group justify="space-between">
        <Title order={1} size="h2">{t.plugins.publishers}</Title>
        <Button data-action="trust" onClick={() => setTrusting(true)}>{t.plugins.trust}</Button>
      </Group>
      <Text c="dimmed" size="sm">{isOfPlatform(person) ? t.plugins.publishersHint : t.plugins.publishersHintOwn}</Text>
      <ProblemNote error={list.error} onRetry={() => void list.refetch()} />
      {list.isPending && !list.isError && <Center><Loader aria-label={t.common.loading} /></Center>}
      {list.data?.length === 0 && <Text c="dimmed" data-empty>{t.plugins.noPublishers}</Text>}
      <SimpleGrid cols={{ base: 1, md: 2, xl: 3 }}>
        {list.data?.map((publisher) => (
          <PublisherCard key={publisher.key_id} publisher={publisher} person={person} onRevoke={() => setRevoking(publisher)} />
        ))}
      </SimpleGrid>
      {trusting && <Trust onClose={() => setTrusting(false)} />}
      {revoking !== null && <Revoke publisher={revoking} person={person} onClose={() => setRevoking(null)} />}
    </Stack>
  );
}

function PublisherCard({ publisher, person, onRevoke }: { publisher: PluginPublisher; person: Person; onRevoke: () => void }) {
  const { t } = useText();
  const isRevoked = publisher.revoked_at != null;
  return (
    <Card withBorder data-publisher={publisher.key_id} data-revoked={isRevoked}>
      <Group justify="space-between" wrap="nowrap" align="flex-start" mb="xs">
        <Text fw={600} style={{ overflowWrap: 'anywhere' }}>{publisher.name}</Text>
        <Badge color={isRevoked ? 'red' : 'green'} variant="light" tt="none" miw="max-content">{isRevoked ? t.plugins.revokedAt : t.plugins.trusted}</Badge>
      </Group>
      <Text size="sm">{t.plugins.keyId}: <Code style={{ overflowWrap: 'anywhere', whiteSpace: 'pre-wrap' }}>{publisher.key_id}</Code></Text>
      <Text size="sm">{t.plugins.trusted}: <When at={publisher.trusted_at} /> {t.plugins.by} <Who id={publisher.trusted_by} person={person} /></Text>
      {publisher.revoked_at != null && <Text size="sm">{t.plugins.revokedAt}: <When at={publisher.revoked_at} /></Text>}
      {!isRevoked && (
        <Group mt="sm"><Button size="compact-sm" variant="light" color="red" data-action="revoke" onClick={onRevoke}>{t.plugins.revoke}</Button></Group>
      )}
    </Card>
  );
}

function useChanged(): () => Promise<unknown> {
  const queryClient = useQueryClient();
  return () => Promise.all(PLUGIN_LISTS.map((queryKey) => queryClient.invalidateQueries({ queryKey })));
}

function Trust({ onClose }: { onClose: () => void }) {
  const { t } = useText();
  const [name, setName] = useState('');
  const [key, setKey] = useState('');
  // Without an Idempotency-Key: the publisher's own key names the wish, and the same one again is the same answer.
  const trust = useMutation({
    mutationFn: () => got(api.POST('/v1/plugin-publishers', { body: { name: name.trim(), public_key: `${key.trim()}\n` } })),
    onSuccess: onClose,
    onSettled: useChanged(),
  });
  const isReady = name.trim() !== '' && key.trim() !== '';
  const leave = (): void => {
    if (!trust.isPending) onClose();
  };
  return (
    <Modal opened onClose={leave} size="lg" title={t.plugins.trust} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack component="form" data-form="publisher" onSubmit={(event) => {
        event.preventDefault();
        if (isReady && !trust.isPending) trust.mutate();
      }}>
        <Text size="sm">{t.plugins.trustText}</Text>
        <TextInput label={t.plugins.name} name="name" required maxLength={128} data-autofocus value={name} onChange={(event) => setName(event.currentTarget.value)} />
        <Textarea label={t.plugins.publicKey} description={t.plugins.publicKeyHint} name="public_key" required rows={4} spellCheck={false} autoComplete="off"
          styles={{ input: { fontFamily: 'monospace' } }} value={key} onChange={(event) => setKey(event.currentTarget.value)} />
        <ProblemNote error={trust.error} words={t.plugins.problems} />
        <Group justify="flex-end">
          <Button variant="default" disabled={trust.isPending} onClick={leave}>{t.common.cancel}</Button>
          <Button type="submit" disabled={!isReady} loading={trust.isPending} data-action="yes">{t.plugins.trust}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}

function Revoke({ publisher, person, onClose }: { publisher: PluginPublisher; person: Person; onClose: () => void }) {
  const { t } = useText();
  const packages = usePackages();
  const rollouts = useRollouts(true);
  const runs = servedOf(publisher.key_id, packages.data?.filter((one) => one.of_platform === isOfPlatform(person)) ?? [], rollouts.data ?? []);
  const revoke = useMutation({
    mutationFn: () => got(api.POST('/v1/plugin-publishers/{publisher}/revoke', { params: { path: { publisher: publisher.key_id } } })),
    onSuccess: onClose,
    onSettled: useChanged(),
  });
  const isKnown = packages.isSuccess && rollouts.isSuccess;
  const leave = (): void => {
    if (!revoke.isPending) onClose();
  };
  return (
    <Modal opened onClose={leave} title={`${t.plugins.revoke} · ${publisher.name}`} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack data-question="revoke">
        <Text size="sm">{t.plugins.revokeText} {isKnown && (runs.length === 0 ? t.plugins.runsNothing : t.plugins.runsThese)}</Text>
        <List size="sm">
          {runs.map((one) => <List.Item key={one.hash} data-runs={one.hash}>{one.plugin} <PackageName choice={one.hash} packages={runs} /></List.Item>)}
        </List>
        <ProblemNote error={revoke.error ?? packages.error ?? rollouts.error} words={t.plugins.problems} />
        <Group justify="flex-end">
          <Button variant="default" disabled={revoke.isPending} onClick={leave}>{t.plugins.keep}</Button>
          <Button color="red" disabled={!isKnown} loading={revoke.isPending} data-action="yes" onClick={() => revoke.mutate()}>{t.plugins.revoke}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
