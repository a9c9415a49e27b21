// What an account's phones may spend without a network, and the end of one that was lost or sold.

import { Badge, Button, Group, Modal, Paper, Stack, Table, Text, TextInput, Title } from '@mantine/core';
import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, got, type OfflineGrant, type StoredValueAccount } from '../api/client';
import { type Intent, useIntent, useUnanswered } from '../api/intent';
import { More } from '../parts/more';
import { ProblemNote } from '../parts/problem';
import { Amount, useNow, When } from '../parts/show';
import { AskedAgain, Unanswered } from '../parts/unanswered';
import { may, type Role } from '../rights';
import { grantState } from '../stored-value-offline';
import { useText } from '../text/text';
import { STORED_VALUE } from './stored-value';

interface Revoked {
  token: string;
  reason: string;
}

const COLORS = { good: 'green', revoked: 'red', over: 'gray' } as const;

export function Grants({ account, role }: { account: StoredValueAccount; role: Role }) {
  const { t } = useText();
  const [asking, setAsking] = useState<{ token: string; again: Intent<Revoked> | null } | null>(null);
  const now = useNow(60_000);
  const place = `stored-value/${account.id}/offline-grants`;
  const list = useInfiniteQuery({
    queryKey: [...STORED_VALUE, 'offline-grants', account.id, account.version],
    initialPageParam: '',
    queryFn: ({ pageParam }) => got(api.GET('/v1/stored-value/accounts/{stored_value_account}/offline-grants', {
      params: { path: { stored_value_account: account.id }, query: pageParam === '' ? {} : { cursor: pageParam } },
    })),
    getNextPageParam: (page) => page.next_cursor ?? null,
    placeholderData: (before) => before,
  });
  const grants = list.data?.pages.flatMap(({ items }) => items) ?? [];
  // Most accounts have none, and say nothing of it.
  if (list.isSuccess && grants.length === 0) return null;
  return (
    <Stack data-part="offline-grants">
      <Title order={2} size="h4">{t.storedValue.offline.grants}</Title>
      <Text c="dimmed" size="sm">{t.storedValue.offline.grantsHint}</Text>
      <Unanswered<Revoked> place={place} words={({ token }) => `${t.storedValue.offline.revoke} · ${token}`} anew={() => null}
        onAgain={(again) => setAsking({ token: again.said.token, again })} />
      <ProblemNote error={list.error} onRetry={() => void list.refetch()} />
      {grants.length > 0 && (
        <Paper withBorder>
          <Table.ScrollContainer minWidth={640}>
            <Table verticalSpacing="xs" data-list="offline-grants">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{t.storedValue.created}</Table.Th>
                  <Table.Th>{t.storedValue.state}</Table.Th>
                  {[t.storedValue.offline.cap, t.storedValue.offline.spent].map((head) => <Table.Th key={head} ta="right">{head}</Table.Th>)}
                  <Table.Th>{t.storedValue.offline.goodUntil}</Table.Th>
                  <Table.Th />
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {grants.map((grant) => (
                  <Grant key={grant.token} grant={grant} now={now}
                    {...(may(role, 'serve_stored_value') ? { onRevoke: () => setAsking({ token: grant.token, again: null }) } : {})} />
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        </Paper>
      )}
      <More list={list} />
      {asking !== null && <Revoke account={account.id} token={asking.token} place={place} first={asking.again} onClose={() => setAsking(null)} />}
    </Stack>
  );
}

function Grant({ grant, now, onRevoke }: { grant: OfflineGrant; now: number; onRevoke?: () => void }) {
  const { t } = useText();
  const state = grantState(grant, now);
  return (
    <Table.Tr data-grant={grant.token} data-grant-state={state}>
      <Table.Td><When at={grant.created_at} /><Text size="xs" c="dimmed">{grant.token}</Text></Table.Td>
      <Table.Td><Badge color={COLORS[state]} variant="light" tt="none" miw="max-content">{t.storedValue.offline.grantStates[state]}</Badge></Table.Td>
      <Table.Td ta="right"><Amount money={grant.cap} /></Table.Td>
      <Table.Td ta="right"><Amount money={grant.spent} fw={400} /></Table.Td>
      <Table.Td><When at={grant.not_after} /><Text size="xs" c="dimmed">{t.storedValue.offline.setAside} <When at={grant.reserved_until} /></Text></Table.Td>
      <Table.Td ta="right">
        {state === 'good' && onRevoke !== undefined && (
          <Button size="compact-xs" variant="subtle" color="red" data-action="revoke-grant" onClick={onRevoke}>{t.storedValue.offline.revoke}</Button>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

function Revoke({ account, token, place, first, onClose }: {
  account: string; token: string; place: string; first: Intent<Revoked> | null; onClose: () => void;
}) {
  const { t } = useText();
  const queryClient = useQueryClient();
  const [reason, setReason] = useState(first?.said.reason ?? '');
  const intent = useIntent(place, first);
  const others = useUnanswered<Revoked>(place).filter(({ said }) => said.token === token).length;
  const revoke = useMutation({
    mutationFn: () => intent.send({ token, reason: reason.trim() }, (said, key) =>
      got(api.POST('/v1/stored-value/accounts/{stored_value_account}/offline-grants/{offline_grant}/revoke', {
        params: { path: { stored_value_account: account, offline_grant: said.token }, header: { 'Idempotency-Key': key } }, body: { reason: said.reason },
      }))),
    onSuccess: onClose,
    // Also after an answer that was lost: it may be done.
    onSettled: () => queryClient.invalidateQueries({ queryKey: STORED_VALUE }),
  });
  const isFixed = intent.isInDoubt || revoke.isPending;
  const isReady = intent.isInDoubt || reason.trim() !== '';
  const leave = (): void => {
    if (!revoke.isPending) onClose();
  };
  return (
    <Modal opened onClose={leave} title={`${t.storedValue.offline.revoke} · ${token}`} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack component="form" data-question="revoke-grant" onSubmit={(event) => {
        event.preventDefault();
        if (isReady && !revoke.isPending) revoke.mutate();
      }}>
        <Text size="sm">{t.storedValue.offline.revokeText}</Text>
        <AskedAgain isInDoubt={intent.isInDoubt} others={revoke.isPending ? 0 : others} />
        <TextInput label={t.storedValue.reason} name="reason" required maxLength={128} data-autofocus disabled={isFixed} value={reason}
          onChange={(event) => setReason(event.currentTarget.value)} />
        <ProblemNote error={revoke.error} words={t.storedValue.offline.problems} />
        <Group justify="flex-end">
          <Button variant="default" disabled={revoke.isPending} onClick={leave}>{intent.isInDoubt ? t.common.close : t.storedValue.keep}</Button>
          <Button type="submit" color="red" disabled={!isReady} loading={revoke.isPending} data-action="yes">{intent.isInDoubt ? t.unanswered.again : t.storedValue.offline.revoke}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
