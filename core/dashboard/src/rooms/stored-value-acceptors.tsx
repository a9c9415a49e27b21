// Who accepts this merchant's stored value: keys of the role that may do nothing else, new ones with their secret, and their end.

import { Alert, Badge, Button, Card, Center, Code, Group, Loader, Modal, SimpleGrid, Stack, Text, TextInput, Title } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, type ApiKey, got } from '../api/client';
import { type Intent, useIntent, useUnanswered } from '../api/intent';
import { ProblemNote } from '../parts/problem';
import { SecretOnce } from '../parts/secret';
import { Ago, When } from '../parts/show';
import { AskedAgain, Unanswered } from '../parts/unanswered';
import { useText } from '../text/text';

const KEYS = ['api-keys'];
/** Where new keys are asked for. */
const ADDED = 'stored-value/acceptors';

interface NewKey {
  name: string;
}

interface Made {
  id: string;
  secret: string;
}

export function AcceptorsRoom() {
  const { t } = useText();
  const [adding, setAdding] = useState<{ again: Intent<NewKey> | null } | null>(null);
  const [revoking, setRevoking] = useState<ApiKey | null>(null);
  const [made, setMade] = useState<Made | null>(null);
  const list = useQuery({ queryKey: KEYS, queryFn: async () => (await got(api.GET('/v1/api-keys'))).items });
  // Made by an attempt whose answer was lost, and revoked since: core still tells its secret.
  const isDead = list.data?.some(({ id, revoked_at }) => id === made?.id && revoked_at != null) === true;
  const acceptors = list.data?.filter(({ role }) => role === 'acceptor');
  return (
    <Stack>
      <Group justify="space-between">
        <Title order={1} size="h2">{t.storedValue.acceptors}</Title>
        <Button data-action="add-acceptor" onClick={() => setAdding({ again: null })}>{t.storedValue.addAcceptor}</Button>
      </Group>
      <Text c="dimmed" size="sm">{t.storedValue.acceptorsHint}</Text>
      <Unanswered<NewKey> place={ADDED} words={({ name }) => `${t.storedValue.addAcceptor} · ${name}`} onAgain={(again) => setAdding({ again })}
        anew={() => () => setAdding({ again: null })} />
      {made !== null && isDead && <Alert color="red" role="alert" data-dead={made.id} withCloseButton closeButtonLabel={t.common.close} onClose={() => setMade(null)}>{t.storedValue.secretDead}</Alert>}
      <ProblemNote error={list.error} onRetry={() => void list.refetch()} />
      {list.isPending && !list.isError && <Center><Loader aria-label={t.common.loading} /></Center>}
      {acceptors?.length === 0 && <Text c="dimmed" data-empty>{t.storedValue.noAcceptors}</Text>}
      <SimpleGrid cols={{ base: 1, md: 2, xl: 3 }}>
        {acceptors?.map((key) => <AcceptorCard key={key.id} acceptor={key} onRevoke={() => setRevoking(key)} />)}
      </SimpleGrid>
      {adding !== null && (
        <AddAcceptor first={adding.again} onClose={() => setAdding(null)} onMade={(one) => {
          setAdding(null);
          setMade(one);
        }} />
      )}
      {revoking !== null && <Revoke acceptor={revoking} onClose={() => setRevoking(null)} />}
      {made !== null && !isDead && <SecretOnce title={t.storedValue.secret} hint={t.storedValue.secretHint} secret={made.secret} onClose={() => setMade(null)} />}
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

function AddAcceptor({ first, onClose, onMade }: { first: Intent<NewKey> | null; onClose: () => void; onMade: (made: Made) => void }) {
  const { t } = useText();
  const queryClient = useQueryClient();
  const [name, setName] = useState(first?.said.name ?? '');
  const intent = useIntent(ADDED, first);
  const others = useUnanswered(ADDED).length;
  const create = useMutation({
    // A secret is not to outlast its dialog in a cache.
    gcTime: 0,
    mutationFn: () => intent.send({ name: name.trim() }, (said, key) =>
      got(api.POST('/v1/api-keys', { params: { header: { 'Idempotency-Key': key } }, body: { ...said, role: 'acceptor' } }))),
    // Also after an answer that was lost: the key may be there. Before the secret is shown, so that a key which was revoked shows none.
    onSettled: async (answer) => {
      await queryClient.invalidateQueries({ queryKey: KEYS });
      if (answer !== undefined) onMade({ id: answer.id, secret: answer.secret });
    },
  });
  const isReady = name.trim() !== '';
  const leave = (): void => {
    if (!create.isPending) onClose();
  };
  return (
    <Modal opened onClose={leave} title={t.storedValue.addAcceptor} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack component="form" data-form="acceptor" onSubmit={(event) => {
        event.preventDefault();
        if (isReady && !create.isPending) create.mutate();
      }}>
        <AskedAgain isInDoubt={intent.isInDoubt} others={create.isPending ? 0 : others} />
        <TextInput disabled={intent.isInDoubt || create.isPending} label={t.storedValue.acceptorName} name="name" required maxLength={128} data-autofocus value={name} onChange={(event) => setName(event.currentTarget.value)} />
        <ProblemNote error={create.error} words={t.storedValue.problems} />
        <Group justify="flex-end">
          <Button variant="default" disabled={create.isPending} onClick={leave}>{t.common.close}</Button>
          <Button type="submit" disabled={!isReady} loading={create.isPending} data-action="yes">{intent.isInDoubt ? t.unanswered.again : t.storedValue.addAcceptor}</Button>
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
  const leave = (): void => {
    if (!revoke.isPending) onClose();
  };
  return (
    <Modal opened onClose={leave} title={`${t.storedValue.revoke} · ${acceptor.name}`} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack data-question="revoke">
        <Text size="sm">{t.storedValue.revokeText}</Text>
        <ProblemNote error={revoke.error} words={t.storedValue.problems} />
        <Group justify="flex-end">
          <Button variant="default" disabled={revoke.isPending} onClick={leave}>{t.storedValue.keep}</Button>
          <Button color="red" loading={revoke.isPending} data-action="yes" onClick={() => revoke.mutate()}>{t.storedValue.revoke}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
