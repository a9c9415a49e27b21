// What the reader may do about a discrepancy: give it to somebody, book it away, write it off with a second person.

import { Alert, Button, Card, Group, Modal, Select, Stack, Text, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { api, type Discrepancy, got } from '../api/client';
import { asProblem } from '../api/problem';
import type { Person } from '../api/session';
import { useKeys } from '../api/wish';
import { Correction } from '../parts/correction';
import { ProblemNote } from '../parts/problem';
import { assignable, type Step, stepsFor } from '../reconciliation';
import { may } from '../rights';
import { useText } from '../text/text';
import { useColleagues } from './reconciliation';

type Wish =
  | { step: 'assign'; to: string }
  | { step: 'resolve' | 'write_off'; reason: string; version: number }
  | { step: 'approve'; version: number }
  | { step: 'decline' };

/** Refusals after which the reader has to look again, since what they saw is no more. */
const LOOK_AGAIN = ['changed_meanwhile', 'not_in_state'];

function ask(discrepancy: string, wish: Wish, key: string): Promise<Discrepancy> {
  const params = { path: { discrepancy }, header: { 'Idempotency-Key': key } };
  switch (wish.step) {
    case 'assign':
      return got(api.POST('/v1/discrepancies/{discrepancy}/assign', { params, body: { to: wish.to } }));
    case 'resolve':
      return got(api.POST('/v1/discrepancies/{discrepancy}/resolve', { params, body: { reason: wish.reason, version: wish.version } }));
    case 'write_off':
      return got(api.POST('/v1/discrepancies/{discrepancy}/write-off', { params, body: { reason: wish.reason, version: wish.version } }));
    case 'approve':
      return got(api.POST('/v1/discrepancies/{discrepancy}/write-off/approve', { params, body: { version: wish.version } }));
    case 'decline':
      return got(api.POST('/v1/discrepancies/{discrepancy}/write-off/decline', { params }));
  }
}

export function DiscrepancySteps({ discrepancy, person, onReload }: { discrepancy: Discrepancy; person: Person; onReload: () => void }) {
  const { t } = useText();
  const queryClient = useQueryClient();
  const keys = useKeys();
  // With the discrepancy as it was seen when the question was asked: whatever comes meanwhile is not what was decided about.
  const [asking, setAsking] = useState<{ step: 'resolve' | 'write_off' | 'approve'; seen: Discrepancy } | null>(null);
  const wish = useMutation({
    mutationFn: (wanted: Wish) => ask(discrepancy.id, wanted, keys.of([discrepancy.id, wanted])),
    onSuccess: (after) => {
      keys.done();
      setAsking(null);
      queryClient.setQueryData(['discrepancy', discrepancy.id], after);
      void queryClient.invalidateQueries({ queryKey: ['discrepancies'] });
      void queryClient.invalidateQueries({ queryKey: ['reconciliation-day'] });
      void queryClient.invalidateQueries({ queryKey: ['books'] });
    },
  });
  const steps = stepsFor(discrepancy, person);
  const isOwn = discrepancy.state === 'write_off_proposed' && discrepancy.proposed_by === person.id;
  const isOld = wish.error !== null && LOOK_AGAIN.includes(asProblem(wish.error).code);
  const reload = (): void => {
    wish.reset();
    setAsking(null);
    onReload();
  };
  const problem = <ProblemNote error={wish.error} words={t.recon.problems} {...(isOld ? { onRetry: reload, action: t.common.reload } : {})} />;
  if (!may(person.role, 'reconcile')) return <Text size="sm" c="dimmed" data-may-not>{t.recon.onlyThey}</Text>;
  if (steps.length === 0) return problem;
  const open = (step: 'resolve' | 'write_off' | 'approve'): void => {
    wish.reset();
    setAsking({ step, seen: discrepancy });
  };
  return (
    <Card withBorder data-part="steps">
      <Stack gap="sm">
        {isOwn && <Alert color="grape" data-own>{t.recon.ownWriteOff}</Alert>}
        {steps.includes('assign') && (
          <Assign discrepancy={discrepancy} person={person} busy={wish.isPending} onAssign={(to) => wish.mutate({ step: 'assign', to })} />
        )}
        <Group gap="xs">
          {steps.includes('resolve') && <Button data-action="resolve" disabled={wish.isPending} onClick={() => open('resolve')}>{t.recon.resolve}</Button>}
          {steps.includes('write_off') && (
            <Button variant="light" color="red" data-action="write-off" disabled={wish.isPending} onClick={() => open('write_off')}>{t.recon.writeOff}</Button>
          )}
          {steps.includes('approve') && <Button color="red" data-action="approve" disabled={wish.isPending} onClick={() => open('approve')}>{t.recon.approve}</Button>}
          {steps.includes('decline') && (
            <Button variant="default" data-action="decline" loading={wish.isPending && wish.variables.step === 'decline'} disabled={wish.isPending}
              onClick={() => wish.mutate({ step: 'decline' })}>{isOwn ? t.recon.takeBack : t.recon.decline}</Button>
          )}
        </Group>
        {asking === null && problem}
        {asking !== null && (
          <Question step={asking.step} seen={asking.seen} busy={wish.isPending} isOld={isOld} problem={problem} onNo={() => setAsking(null)}
            onYes={(reason) => {
              const { version } = asking.seen;
              wish.mutate(asking.step === 'approve' ? { step: 'approve', version } : { step: asking.step, reason, version });
            }} />
        )}
      </Stack>
    </Card>
  );
}

function Assign({ discrepancy, person, busy, onAssign }: {
  discrepancy: Discrepancy; person: Person; busy: boolean; onAssign: (to: string) => void;
}) {
  const { t } = useText();
  const people = useColleagues();
  const [to, setTo] = useState<string | null>(discrepancy.assigned_to ?? null);
  const choices = assignable(people.items);
  return (
    <Group align="flex-end" gap="xs">
      <Select size="xs" w={220} label={t.recon.assignedTo} name="assignee" placeholder={t.recon.nobody} value={to} onChange={setTo}
        data={choices.map(({ id, name }) => ({ value: id, label: name }))} />
      <Button size="xs" variant="default" data-action="assign" disabled={busy || to === null || to === discrepancy.assigned_to}
        onClick={() => to !== null && onAssign(to)}>{t.recon.assign}</Button>
      {discrepancy.assigned_to !== person.id && (
        <Button size="xs" variant="subtle" data-action="assign-me" disabled={busy} onClick={() => {
          setTo(person.id);
          onAssign(person.id);
        }}>{t.recon.assignMe}</Button>
      )}
      <ProblemNote error={people.error} />
    </Group>
  );
}

function Question({ step, seen, busy, isOld, problem, onYes, onNo }: {
  step: Exclude<Step, 'assign' | 'decline'>; seen: Discrepancy; busy: boolean; isOld: boolean; problem: ReactNode;
  onYes: (reason: string) => void; onNo: () => void;
}) {
  const { t } = useText();
  const [reason, setReason] = useState('');
  const words = {
    resolve: [t.recon.resolveTitle, t.recon.resolveText, t.recon.resolve], write_off: [t.recon.writeOffTitle, t.recon.writeOffText, t.recon.writeOff],
    approve: [t.recon.approveTitle, t.recon.approveText, t.recon.approve],
  }[step];
  const isReady = (step === 'approve' || reason.trim() !== '') && !isOld;
  return (
    <Modal opened onClose={onNo} title={words[0]} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack component="form" data-question={step} onSubmit={(event) => {
        event.preventDefault();
        if (isReady && !busy) onYes(reason.trim());
      }}>
        <Text size="sm">{words[1]}</Text>
        <Correction discrepancy={seen} />
        {step === 'approve' && seen.reason != null && <Text size="sm">{t.recon.reason}: {seen.reason}</Text>}
        {step !== 'approve' && (
          <TextInput label={t.recon.whyNeeded} name="reason" required maxLength={128} data-autofocus value={reason}
            onChange={(event) => setReason(event.currentTarget.value)} />
        )}
        {problem}
        <Group justify="flex-end">
          <Button variant="default" onClick={onNo}>{t.recon.keep}</Button>
          <Button type="submit" color={step === 'resolve' ? 'teal' : 'red'} loading={busy} disabled={!isReady} data-action="yes">{words[2]}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
