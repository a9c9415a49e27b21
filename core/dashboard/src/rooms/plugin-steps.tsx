// One step of a rollout, asked about once more before it is taken: what it will do, to whom, and why it was refused.
//
// A step names the version of the rollout that its reader saw. If somebody was quicker, core changes nothing and the reader looks
// again: the step is never sent anew under another version by itself.

import { Button, Group, Modal, MultiSelect, Stack, Text } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, got, isPassing, type PluginPackage, type PluginRollout } from '../api/client';
import { asProblem } from '../api/problem';
import { ProblemNote } from '../parts/problem';
import { BUILT_IN, CANARY_TENANTS_MAX, CHANGED_MEANWHILE, type Step } from '../plugins';
import { useText } from '../text/text';
import { PackageName, PLUGIN_LISTS, useTenants, useWords } from './plugins';

export interface Question {
  step: Step;
  /** The rollout as it was when the reader decided. */
  seen: PluginRollout;
  /** For the steps that give a package to somebody. */
  chosen?: PluginPackage;
}

function take({ step, seen: { plugin, version }, chosen }: Question, tenants: string[]): Promise<PluginRollout> {
  const params = { path: { plugin } };
  const given = chosen?.hash ?? '';
  switch (step) {
    case 'install':
      return got(api.POST('/v1/plugin-rollouts/{plugin}/install', { params, body: { version, package: given } }));
    case 'canary':
      return got(api.POST('/v1/plugin-rollouts/{plugin}/canary', { params, body: { version, package: given, tenants } }));
    case 'promote':
      return got(api.POST('/v1/plugin-rollouts/{plugin}/promote', { params, body: { version } }));
    case 'end_canary':
    case 'roll_back':
      return got(api.POST('/v1/plugin-rollouts/{plugin}/rollback', { params, body: { version } }));
  }
}

/** What everybody has after the step. */
function after({ step, seen, chosen }: Question): string {
  if (step === 'install') return chosen?.hash ?? seen.stable;
  if (step === 'promote') return seen.canary ?? seen.stable;
  return step === 'roll_back' ? seen.previous ?? seen.stable : seen.stable;
}

export function StepQuestion({ question, packages, isPlatform, onReload, onClose, onTaken, onLost }: {
  question: Question; isPlatform: boolean; packages: readonly PluginPackage[]; onReload: () => void; onClose: () => void; onTaken: (after: PluginRollout) => void; onLost: () => void;
}) {
  const { t } = useText();
  const queryClient = useQueryClient();
  const { step, seen, chosen } = question;
  const words = useWords(isPlatform);
  // An owner's plugin has nothing in the operator's folder.
  const isEnd = !isPlatform && after(question) === BUILT_IN && seen.stable !== BUILT_IN;
  const [merchants, setMerchants] = useState<string[]>(seen.canary != null && seen.canary === chosen?.hash ? seen.canary_tenants : []);
  const tenants = useTenants(step === 'canary');
  const wish = useMutation({
    mutationFn: () => take(question, merchants),
    onSuccess: (now) => {
      onTaken(now);
      onClose();
    },
    // Whom a step back leaves without service, core says once.
    onError: (error) => {
      if (step === 'roll_back' && isPassing(error)) onLost();
    },
    // Also after an answer that was lost: the step may be taken.
    onSettled: () => Promise.all(PLUGIN_LISTS.map((queryKey) => queryClient.invalidateQueries({ queryKey }))),
  });
  const code = wish.error === null ? null : asProblem(wish.error).code;
  const isOld = code === CHANGED_MEANWHILE;
  const isReady = step !== 'canary' || (merchants.length >= 1 && merchants.length <= CANARY_TENANTS_MAX);
  const reload = (): void => {
    onReload();
    onClose();
  };
  const isSame = after(question) === seen.stable;
  const leave = (): void => {
    if (!wish.isPending) onClose();
  };
  return (
    <Modal opened onClose={leave} title={`${words.steps[step]} · ${seen.plugin}`} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack component="form" data-question={step} data-seen={seen.version} onSubmit={(event) => {
        event.preventDefault();
        if (isReady && !isOld && !wish.isPending) wish.mutate();
      }}>
        <Text size="sm">{words.questions[step]}</Text>
        {!isSame && (
          <Text size="sm" data-from-to>
            {words.fromTo}: <PackageName choice={seen.stable} packages={packages} isPlatform={isPlatform} /> → <PackageName choice={after(question)} packages={packages} isPlatform={isPlatform} />
          </Text>
        )}
        {isEnd && <Text size="sm" c="red" data-ends>{t.plugins.endsService}</Text>}
        {step === 'canary' && chosen !== undefined && (
          <>
            <Text size="sm">{t.plugins.canary}: <PackageName choice={chosen.hash} packages={packages} /></Text>
            <MultiSelect label={t.plugins.merchants} description={t.plugins.merchantsHint} name="merchants" data-input="merchants" searchable clearable required data-autofocus
              limit={50} maxValues={CANARY_TENANTS_MAX} value={merchants} onChange={setMerchants}
              data={tenants.items.map(({ id, name }) => ({ value: id, label: name }))} />
            {!tenants.isWhole && <Text size="xs" c="dimmed">{t.plugins.merchantsCut}</Text>}
            <ProblemNote error={tenants.error} />
          </>
        )}
        {code !== null && t.plugins.refused[code] !== undefined && <Text size="sm">{t.plugins.refused[code]}</Text>}
        <ProblemNote error={wish.error} words={t.plugins.problems} {...(isOld ? { onRetry: reload, action: t.common.reload } : {})} />
        <Group justify="flex-end">
          <Button variant="default" disabled={wish.isPending} onClick={leave}>{t.plugins.keep}</Button>
          <Button type="submit" color={step === 'promote' || step === 'canary' ? 'teal' : 'red'} disabled={!isReady || isOld} loading={wish.isPending} data-action="yes">
            {words.steps[step]}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
