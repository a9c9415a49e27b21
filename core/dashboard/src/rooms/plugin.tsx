// One plugin: which version serves whom, and the steps from here.

import { Alert, Anchor, Button, Card, Center, Group, Loader, Paper, Stack, Table, Text, Title } from '@mantine/core';
import { useState } from 'react';
import { Link, useParams } from 'react-router';
import type { PluginPackage, PluginRollout } from '../api/client';
import type { Person } from '../api/session';
import { ProblemNote } from '../parts/problem';
import { When } from '../parts/show';
import { Who } from '../parts/who';
import { standingOf, type Step, stepsOf, stepsWith } from '../plugins';
import { useText } from '../text/text';
import { type Question, StepQuestion } from './plugin-steps';
import { isOfPlatform, PackageName, Signer, StandingBadge, usePackages, usePublishers, useRollout, useTenants, useWords } from './plugins';

export function PluginRoom({ person }: { person: Person }) {
  const { plugin = '' } = useParams();
  const { t } = useText();
  const rollout = useRollout(plugin);
  const packages = usePackages();
  const publishers = usePublishers(true);
  const [question, setQuestion] = useState<Question | null>(null);
  // What a step back left without service, as long as somebody looks: core says it once.
  const [unfit, setUnfit] = useState<PluginRollout['unfit']>([]);
  const [lost, setLost] = useState(false);
  const isPlatform = isOfPlatform(person);
  const mine = packages.data?.filter((one) => one.plugin === plugin && one.of_platform === isPlatform) ?? [];
  const error = rollout.error ?? packages.error ?? publishers.error;
  const reload = (): void => {
    for (const one of [rollout, packages, publishers]) void one.refetch();
  };
  const seen = rollout.data;
  return (
    <Stack data-rollout={plugin} data-step={seen?.version}>
      <Anchor component={Link} to="/plugins" size="sm">← {t.plugins.title}</Anchor>
      <Title order={1} size="h2" style={{ overflowWrap: 'anywhere' }}>{plugin}</Title>
      <ProblemNote error={error} onRetry={reload} />
      {seen === undefined && !rollout.isError && <Center><Loader aria-label={t.common.loading} /></Center>}
      {seen !== undefined && packages.isSuccess && (
        <>
          <Unfit unfit={unfit} isPlatform={isPlatform} />
          {lost && <Alert color="orange" role="alert" data-lost>{t.plugins.unfitLost}</Alert>}
          <InUse rollout={seen} packages={mine} person={person} onStep={(step) => setQuestion({ step, seen })} />
          <Title order={2} size="h4">{t.plugins.packages}</Title>
          {mine.length === 0 && <Text c="dimmed">{t.plugins.noneOfPlugin} {t.plugins.noneHint}</Text>}
          {mine.length > 0 && (
            <Versions packages={mine} rollout={seen} person={person}
              stepsOf={(one) => (publishers.data === undefined ? [] : stepsWith(one, seen, publishers.data, isPlatform))}
              onStep={(step, chosen) => setQuestion({ step, seen, chosen })} />
          )}
          {question !== null && (
            <StepQuestion question={question} packages={mine} isPlatform={isPlatform} onReload={reload} onClose={() => setQuestion(null)} onLost={() => setLost(true)}
              onTaken={(after) => {
                setUnfit(after.unfit);
                setLost(false);
              }} />
          )}
        </>
      )}
    </Stack>
  );
}

function Unfit({ unfit, isPlatform }: { unfit: PluginRollout['unfit']; isPlatform: boolean }) {
  const { t } = useText();
  const tenants = useTenants(isPlatform && unfit.length > 0);
  if (unfit.length === 0) return null;
  return (
    <Alert color="red" title={t.plugins.unfit} role="alert" data-unfit={unfit.length}>
      <Text size="sm">{t.plugins.unfitHint}</Text>
      {unfit.map(({ tenant, channel_account: account, why }) => (
        <Text key={account ?? tenant} size="sm" style={{ overflowWrap: 'anywhere' }}>{isPlatform && `${tenants.name(tenant)} · `}{account ?? t.plugins.rules}: {why}</Text>
      ))}
    </Alert>
  );
}

/** Who has what now. */
function InUse({ rollout, packages, person, onStep }: {
  rollout: PluginRollout; packages: readonly PluginPackage[]; person: Person; onStep: (step: Step) => void;
}) {
  const { t } = useText();
  const { canary, previous, changed_at: changedAt, changed_by: changedBy, this_node: node } = rollout;
  const isPlatform = isOfPlatform(person);
  const words = useWords(isPlatform);
  const tenants = useTenants(isPlatform && canary != null);
  const isBehind = node.problem != null;
  const steps = stepsOf(rollout);
  return (
    <Card withBorder data-part="in-use">
      <Stack gap="xs">
        <Text size="sm" data-serves="everybody">
          {canary == null ? words.everybody : t.plugins.everybodyElse}: <PackageName choice={rollout.stable} packages={packages} isPlatform={isPlatform} />
        </Text>
        {canary != null && (
          <div data-serves="canary">
            <Text size="sm">{t.plugins.canary}: <PackageName choice={canary} packages={packages} /></Text>
            <Text size="sm" c="dimmed">{t.plugins.merchants}: {rollout.canary_tenants.map((tenant) => tenants.name(tenant)).join(', ')}</Text>
          </div>
        )}
        {previous != null && canary == null && (
          <Text size="sm" data-serves="before">{t.plugins.goesBackTo}: <PackageName choice={previous} packages={packages} isPlatform={isPlatform} /></Text>
        )}
        <Text size="sm" c="dimmed">
          {t.plugins.step} {rollout.version}
          {changedAt == null ? ` · ${t.plugins.untouched}` : <> · {t.plugins.changed} <When at={changedAt} />{changedBy != null && <> {t.plugins.by} <Who id={changedBy} person={person} /></>}</>}
        </Text>
        {isBehind && (
          <Alert color="orange" title={t.plugins.behind} data-behind>
            <Text size="sm">{t.plugins.behindHint} {node.version ?? t.plugins.behindNone}.</Text>
            <Text size="sm">{node.problem}</Text>
          </Alert>
        )}
        {steps.length > 0 && (
          <Group gap="xs">
            {steps.map((step) => (
              <Button key={step} size="sm" variant="light" color={step === 'promote' ? 'teal' : 'red'} data-action={step} onClick={() => onStep(step)}>{words.steps[step]}</Button>
            ))}
          </Group>
        )}
      </Stack>
    </Card>
  );
}

function Versions({ packages, rollout, person, stepsOf: stepsFor, onStep }: {
  packages: readonly PluginPackage[]; rollout: PluginRollout; person: Person; stepsOf: (one: PluginPackage) => Step[];
  onStep: (step: Step, chosen: PluginPackage) => void;
}) {
  const { t } = useText();
  const isPlatform = isOfPlatform(person);
  const words = useWords(isPlatform);
  return (
    <Paper withBorder>
      <Table.ScrollContainer minWidth={680}>
        <Table verticalSpacing="xs" data-list="versions">
          <Table.Thead>
            <Table.Tr>
              {[t.plugins.version, t.plugins.signedBy, t.plugins.published, t.plugins.rollouts].map((head) => <Table.Th key={head}>{head}</Table.Th>)}
              <Table.Th />
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {packages.map((one) => (
              <Table.Tr key={one.hash} data-package={one.hash}>
                <Table.Td style={{ whiteSpace: 'nowrap' }}><PackageName choice={one.hash} packages={packages} /></Table.Td>
                <Table.Td><Signer {...one} person={person} /></Table.Td>
                <Table.Td><When at={one.published_at} /></Table.Td>
                <Table.Td><StandingBadge standing={standingOf(one.hash, rollout, one.retired_at != null)} isPlatform={isPlatform} /></Table.Td>
                <Table.Td>
                  <Group gap="xs" justify="flex-end" wrap="nowrap">
                    {stepsFor(one).map((step) => (
                      <Button key={step} size="compact-sm" variant="default" data-action={step} onClick={() => onStep(step, one)}>{words.steps[step]}</Button>
                    ))}
                  </Group>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Paper>
  );
}
