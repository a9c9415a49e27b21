// Who accepts this merchant's stored value: keys of the role that may do nothing else, new ones with their secret, and their end.

import { Badge, Button, Card, Center, Code, Group, Loader, Modal, SimpleGrid, Stack, Text, TextInput, Title } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, type ApiKey, got } from '../api/client';
import { type Keys, useKeys } from '../api/wish';
import { ProblemNote } from '../parts/problem';
import { SecretOnce } from '../parts/secret';
import { Ago, When } from '../parts/show';
import { useText } from '../text/text';

const KEYS = ['api-keys'];

export function AcceptorsRoom() {
  const { t } = useText();
  const [adding, setAdding] = useState(false);
  const [revoking, setRevoking] = useState<ApiKey | null>(null);
  const [secret, setSecret] = useState<string | null>(null);
  // Here and not in the form: closed after a lost answer and opened again, the same name brings the same key and its secret.
  const keys = useKeys();
  const list = useQuery({ queryKey: KEYS, queryFn: async () => (await got(api.GET('/v1/api-keys'))).items });
  const acceptors = list.data?.filter(({ role }) => role === 'acceptor');
  return (
    <Stack>
      <Group justify="space-between">
        <Title order={1} size="h2">{t.storedValue.acceptors}</Title>
        <Button data-action="add-acceptor" onClick={() => setAdding(true)}>{t.storedValue.addAcceptor}</Button>
      </Group>
      <Text c="dimmed" size="sm">{t.storedValue.acceptorsHint}</Text>
      <ProblemNote error={list.error} onRetry={() => void list.refetch()} />
      {list.isPending && !list.isError && <Center><Loader aria-label={t.common.loading} /></Center>}
      {acceptors?.length === 0 && <Text c="dimmed" data-empty>{t.storedValue.noAcceptors}</Text>}
      <SimpleGrid cols={{ base: 1, md: 2, xl: 3 }}>
        {acceptors?.map((key) => <AcceptorCard key={key.id} acceptor={key} onRevoke={() => setRevoking(key)} />)}
      </SimpleGrid>
      {adding && (
        <AddAcceptor keys={keys} onClose={() => setAdding(false)} onMade={(made) => {
          keys.done();
          setAdding(false);
          setSecret(made);
        }} />
      )}
      {revoking !== null && <Revoke acceptor={revoking} onClose={() => setRevoking(null)} />}
      {secret !== null && <SecretOnce title={t.storedValue.secret} hint={t.storedValue.secretHint} secret={secret} onClose={() => setSecret(null)} />}
    </Stack>
  );
}

function AcceptorCard({ acceptor, onRevoke }: { acceptor: ApiKey; onRevoke: () => void }) {
  const { t } = useText();
  const isRevoked = acceptor.revoked_at != null;
  return (
    <Card withBorder data-acceptor={acceptor.id} data-revoked={isRevoked}>
      <Group justify="space-between" wrap="nowrap" align="flex-start" mb="xs">
        <Text fw={600} style={{ overflowWrap: 'anywhere' }}>{acceptor.name}</Text>
        <Badge color={isRevoked ? 'gray' : 'green'} variant="light" tt="none" miw="max-content">{isRevoked ? t.storedValue.revoked : t.storedValue.inForce}</Badge>
      </Group>
      <Text size="sm">{t.storedValue.key}: <Code style={{ overflowWrap: 'anywhere', whiteSpace: 'pre-wrap' }}>{acceptor.id}</Code></Text>
      <Text size="sm">{t.common.created}: <When at={acceptor.created_at} /></Text>
      <Text size="sm">{t.storedValue.lastUsed}: {acceptor.last_used_at == null ? t.common.never : <Ago at={acceptor.last_used_at} />}</Text>
      {acceptor.revoked_at != null && <Text size="sm">{t.storedValue.revoked}: <When at={acceptor.revoked_at} /></Text>}
      {!isRevoked && <Group mt="sm"><Button size="compact-sm" variant="light" color="red" data-action="revoke" onClick={onRevoke}>{t.storedValue.revoke}</Button></Group>}
    </Card>
  );
}

function AddAcceptor({ keys, onClose, onMade }: { keys: Keys; onClose: () => void; onMade: (secret: string) => void }) {
  const { t } = useText();
  const queryClient = useQueryClient();
  const [name, setName] = useState('');
  const create = useMutation({
    mutationFn: () => {
      const body = { name: name.trim(), role: 'acceptor' as const };
      return got(api.POST('/v1/api-keys', { params: { header: { 'Idempotency-Key': keys.of(body) } }, body }));
    },
    onSuccess: ({ secret }) => onMade(secret),
    // Also after an answer that was lost: the key may be there.
    onSettled: () => queryClient.invalidateQueries({ queryKey: KEYS }),
  });
  const isReady = name.trim() !== '';
  return (
    <Modal opened onClose={onClose} title={t.storedValue.addAcceptor} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack component="form" data-form="acceptor" onSubmit={(event) => {
        event.preventDefault();
        if (isReady && !create.isPending) create.mutate();
      }}>
        <TextInput label={t.storedValue.acceptorName} name="name" required maxLength={128} data-autofocus value={name} onChange={(event) => setName(event.currentTarget.value)} />
        <ProblemNote error={create.error} words={t.storedValue.problems} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>{t.common.cancel}</Button>
          <Button type="submit" disabled={!isReady} loading={create.isPending} data-action="yes">{t.storedValue.addAcceptor}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}

function Revoke({ acceptor, onClose }: { acceptor: ApiKey; onClose: () => void }) {
  const { t } = useText();
  const queryClient = useQueryClient();
  const revoke = useMutation({
    mutationFn: () => got(api.DELETE('/v1/api-keys/{key}', { params: { path: { key: acceptor.id } } })),
    onSuccess: onClose,
    onSettled: () => queryClient.invalidateQueries({ queryKey: KEYS }),
  });
  return (
    <Modal opened onClose={onClose} title={`${t.storedValue.revoke} · ${acceptor.name}`} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack data-question="revoke">
        <Text size="sm">{t.storedValue.revokeText}</Text>
        <ProblemNote error={revoke.error} words={t.storedValue.problems} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>{t.storedValue.keep}</Button>
          <Button color="red" loading={revoke.isPending} data-action="yes" onClick={() => revoke.mutate()}>{t.storedValue.revoke}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
