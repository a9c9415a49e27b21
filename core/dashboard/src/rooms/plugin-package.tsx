// One package: what it is, who signed it, how it stood the conformance kit and what of it was not played, and its end.

import { Alert, Anchor, Badge, Button, Card, Center, Checkbox, Code, Group, Loader, Modal, Paper, Select, Stack, Table, Text, Title } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useParams } from 'react-router';
import { api, got, type PluginPackage } from '../api/client';
import type { Person } from '../api/session';
import { ProblemNote } from '../parts/problem';
import { When } from '../parts/show';
import { Who } from '../parts/who';
import { BUILT_IN, mebibytes, short, type Signed, signed, standingOf, successorsOf } from '../plugins';
import { may } from '../rights';
import { useText } from '../text/text';
import { isOfPlatform, PackageName, PLUGIN_LISTS, Signer, StandingBadge, usePackages, useRollouts } from './plugins';

export function PackageRoom({ person }: { person: Person }) {
  const { package: hash = '' } = useParams();
  const { t } = useText();
  const mayManage = may(person.role, 'manage_plugins');
  const detail = useQuery({
    queryKey: ['plugin-packages', hash],
    queryFn: () => got(api.GET('/v1/plugin-packages/{package}', { params: { path: { package: hash } } })),
  });
  const rollouts = useRollouts(mayManage);
  const packages = usePackages();
  const [retiring, setRetiring] = useState(false);
  const one = detail.data?.package;
  const isOwn = one?.of_platform === isOfPlatform(person);
  const rollout = isOwn ? rollouts.data?.find(({ plugin }) => plugin === one.plugin) : undefined;
  const standing = one === undefined ? 'unused' : standingOf(one.hash, rollout, one.retired_at != null);
  const verdict = detail.data === undefined ? null : signed(detail.data.envelope);
  return (
    <Stack>
      <Anchor component={Link} to="/plugins" size="sm">← {t.plugins.title}</Anchor>
      <ProblemNote error={detail.error ?? packages.error ?? rollouts.error} onRetry={() => void detail.refetch()} />
      {detail.isPending && !detail.isError && <Center><Loader aria-label={t.common.loading} /></Center>}
      {detail.data !== undefined && one !== undefined && (
        <>
          <Card withBorder data-package={one.hash}>
            <Group justify="space-between" align="flex-start" mb="sm">
              <Title order={1} size="h3">
                {isOwn && mayManage ? <Anchor component={Link} to={`/plugins/in-use/${one.plugin}`} inherit>{one.plugin}</Anchor> : one.plugin} {one.version}
              </Title>
              {isOwn && mayManage && rollouts.isSuccess ? <StandingBadge standing={standing} isPlatform={isOfPlatform(person)} /> : !isOwn && <Badge color="gray" variant="light" tt="none">{t.plugins.platformOnly}</Badge>}
            </Group>
            <Facts one={one} payments={detail.data.payments} packages={packages.data ?? []} person={person} />
            {isOwn && mayManage && rollouts.isSuccess && one.retired_at == null && (
              standing === 'unused'
                ? <Group mt="sm"><Button size="sm" variant="light" color="red" data-action="retire" onClick={() => setRetiring(true)}>{t.plugins.steps.retire}</Button></Group>
                : <Text size="sm" c="dimmed" mt="sm">{t.plugins.inUse}</Text>
            )}
          </Card>
          {verdict === null ? <Alert color="orange">{t.plugins.kit.unreadable}</Alert> : <Kit verdict={verdict} />}
          {retiring && packages.data !== undefined && <Retire one={one} payments={detail.data.payments} packages={packages.data} person={person} onClose={() => setRetiring(false)} />}
        </>
      )}
    </Stack>
  );
}

function Facts({ one, payments, packages, person }: { one: PluginPackage; payments: number; packages: readonly PluginPackage[]; person: Person }) {
  const { t } = useText();
  return (
    <Stack gap={4}>
      <Text size="sm">{t.plugins.hash}: <Code data-hash style={{ overflowWrap: 'anywhere', whiteSpace: 'pre-wrap' }}>{one.hash}</Code></Text>
      <Text size="sm" data-fact="signer">{t.plugins.signedBy}: <Signer {...one} person={person} /></Text>
      <Text size="sm">{t.plugins.published}: <When at={one.published_at} /> {t.plugins.by} <Who id={one.published_by} person={person} /></Text>
      <Text size="sm">{t.plugins.contract}: {one.contract} · {t.plugins.size}: {mebibytes(one.component_bytes)}</Text>
      <Text size="sm" data-payments={payments}>{t.plugins.payments}: {payments}</Text>
      {one.retired_at != null && (
        <Text size="sm" data-fact="retired">
          {t.plugins.retired}: <When at={one.retired_at} />
          {one.successor != null && <> · {t.plugins.successor}: <PackageName choice={one.successor} packages={packages} /></>}
        </Text>
      )}
    </Stack>
  );
}

/** The kit's verdict, as it was signed. */
function Kit({ verdict }: { verdict: Signed }) {
  const { t } = useText();
  const { kit, passed, failed, leftOut, offers } = verdict;
  const unplayed = leftOut.reduce((sum, { cases }) => sum + cases.length, 0);
  const counts = [[t.plugins.kit.passed, passed, 'green'], [t.plugins.kit.leftOut, unplayed, unplayed > 0 ? 'orange' : 'gray']] as const;
  return (
    <Stack data-part="kit">
      <Title order={2} size="h4">{t.plugins.kit.title}</Title>
      <Text size="sm" c="dimmed">{t.plugins.kit.hint}</Text>
      <Group gap="xs">
        <Text size="sm">{t.plugins.kit.version} {kit}</Text>
        {counts.map(([name, count, color]) => (
          <Badge key={name} color={color} variant="light" tt="none" miw="max-content">{count} {name}</Badge>
        ))}
        {failed.length > 0 && <Badge color="red" variant="light" tt="none" miw="max-content">{failed.length} {t.plugins.kit.failed}</Badge>}
      </Group>
      {offers.length > 0 && <Text size="sm">{t.plugins.kit.offers}: {offers.join(', ')}</Text>}
      {failed.length > 0 && <Alert color="red" title={t.plugins.kit.failed}>{failed.join(', ')}</Alert>}
      {leftOut.length === 0 && failed.length === 0 && <Text size="sm">{t.plugins.kit.all}</Text>}
      {leftOut.length > 0 && (
        <Paper withBorder>
          <Table.ScrollContainer minWidth={320}>
            <Table verticalSpacing={4} data-list="left-out">
              <Table.Thead>
                <Table.Tr><Table.Th w="35%">{t.plugins.kit.why}</Table.Th><Table.Th>{t.plugins.kit.cases}</Table.Th></Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {leftOut.map(({ why, cases }) => (
                  <Table.Tr key={why} data-left-out={cases.length}>
                    <Table.Td style={{ verticalAlign: 'top' }}>{why === '' ? t.plugins.kit.noReason : why}</Table.Td>
                    <Table.Td style={{ overflowWrap: 'anywhere', verticalAlign: 'top' }}>{cases.join(', ')}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        </Paper>
      )}
    </Stack>
  );
}

function Retire({ one, payments, packages, person, onClose }: {
  one: PluginPackage; payments: number; packages: readonly PluginPackage[]; person: Person; onClose: () => void;
}) {
  const { t } = useText();
  const queryClient = useQueryClient();
  const successors = successorsOf(one, packages, isOfPlatform(person));
  const [successor, setSuccessor] = useState<string | null>(null);
  const [isSure, setIsSure] = useState(false);
  const retire = useMutation({
    mutationFn: () => got(api.POST('/v1/plugin-packages/{package}/retire', { params: { path: { package: one.hash } }, body: { successor: successor ?? '' } })),
    onSuccess: onClose,
    onSettled: () => Promise.all(PLUGIN_LISTS.map((queryKey) => queryClient.invalidateQueries({ queryKey }))),
  });
  const isReady = successor !== null && isSure;
  const label = (choice: string): string => {
    const named = packages.find(({ hash }) => hash === choice);
    return named === undefined ? t.plugins.builtIn : `${named.version} · ${short(choice)}`;
  };
  const leave = (): void => {
    if (!retire.isPending) onClose();
  };
  return (
    <Modal opened onClose={leave} title={`${t.plugins.steps.retire} · ${one.plugin} ${one.version}`} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack component="form" data-question="retire" onSubmit={(event) => {
        event.preventDefault();
        if (isReady && !retire.isPending) retire.mutate();
      }}>
        <Text size="sm">{t.plugins.questions.retire}</Text>
        <Text size="sm">{t.plugins.payments}: {payments}</Text>
        {successors.length === 0
          ? <Text size="sm" c="red">{t.plugins.noSuccessor}</Text>
          : <Select label={t.plugins.chooseSuccessor} name="successor" data-input="successor" required data-autofocus value={successor} onChange={setSuccessor}
              data={successors.map((choice) => ({ value: choice, label: choice === BUILT_IN ? t.plugins.builtIn : label(choice) }))} />}
        <Checkbox label={t.plugins.sure} name="sure" checked={isSure} onChange={(event) => setIsSure(event.currentTarget.checked)} />
        <ProblemNote error={retire.error} words={t.plugins.problems} />
        <Group justify="flex-end">
          <Button variant="default" disabled={retire.isPending} onClick={leave}>{t.plugins.keep}</Button>
          <Button type="submit" color="red" disabled={!isReady} loading={retire.isPending} data-action="yes">{t.plugins.steps.retire}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
