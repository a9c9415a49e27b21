// What whoever manages terminals asks of one from here: its journal now, or that it is shut out for good.

import { Button, Checkbox, Group, Modal, Stack, Text } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, got, type Terminal } from '../api/client';
import { ProblemNote } from '../parts/problem';
import { useText } from '../text/text';
import { Sums } from './fleet-totals';

/** For one that is not revoked. */
export function TerminalSteps({ terminal }: { terminal: Terminal }) {
  const { t } = useText();
  const [asking, setAsking] = useState(false);
  // Without a key: asked once more, it is asked for once, and shut out is shut out.
  const sync = useMutation({ mutationFn: () => got(api.POST('/v1/terminals/{terminal}/sync-now', { params: { path: { terminal: terminal.id } } })) });
  return (
    <>
      {terminal.enrolled_at != null && (
        <Button size="compact-sm" variant="default" data-action="sync-now" loading={sync.isPending} onClick={() => sync.mutate()}>{t.fleet.sync}</Button>
      )}
      <Button size="compact-sm" variant="light" color="red" data-action="revoke" onClick={() => setAsking(true)}>{t.fleet.revoke}</Button>
      {sync.isSuccess && <Text size="xs" role="status" data-told="sync">{t.fleet.syncAsked}</Text>}
      <ProblemNote error={sync.error} words={t.fleet.problems} />
      {asking && <Revoke terminal={terminal} onClose={() => setAsking(false)} />}
    </>
  );
}

function Revoke({ terminal, onClose }: { terminal: Terminal; onClose: () => void }) {
  const { t } = useText();
  const queryClient = useQueryClient();
  const [isAware, setIsAware] = useState(false);
  const revoke = useMutation({
    mutationFn: () => got(api.POST('/v1/terminals/{terminal}/revoke', { params: { path: { terminal: terminal.id } } })),
    onSuccess: onClose,
    // Also after an answer that was lost: it may be done.
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['terminals'] }),
  });
  const unsent = terminal.health?.unsent;
  const leave = (): void => {
    if (!revoke.isPending) onClose();
  };
  return (
    <Modal opened onClose={leave} title={`${t.fleet.revokeTitle} ${terminal.name}`} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack component="form" data-question="revoke-terminal" onSubmit={(event) => {
        event.preventDefault();
        if (isAware && !revoke.isPending) revoke.mutate();
      }}>
        <Text size="sm">{t.fleet.revokeText}</Text>
        {terminal.enrolled_at != null && <Text size="sm" fw={600}>{t.fleet.revokeLost}</Text>}
        {unsent !== undefined && unsent.count > 0 && (
          <Group gap="xs" data-unsent={unsent.count}><Text size="sm">{t.fleet.revokeUnsent} {unsent.count} {t.fleet.entries}</Text><Sums atRisk={unsent.at_risk} /></Group>
        )}
        {terminal.enrolled_at != null && !terminal.online && <Text size="sm" data-unheard>{t.fleet.revokeUnknown}</Text>}
        <Checkbox name="aware" label={t.fleet.revokeAware} checked={isAware} onChange={({ currentTarget: { checked } }) => setIsAware(checked)} />
        <ProblemNote error={revoke.error} words={t.fleet.problems} />
        <Group justify="flex-end">
          <Button variant="default" disabled={revoke.isPending} onClick={leave}>{t.fleet.keep}</Button>
          <Button type="submit" color="red" disabled={!isAware} loading={revoke.isPending} data-action="yes">{t.fleet.revoke}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
