// The plugins: which version of each serves whom, and every package that there is, with who signed it.

import { Anchor, Badge, Card, Center, Code, Loader, Paper, SimpleGrid, Stack, Table, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link, Outlet, useLocation } from 'react-router';
import { api, got, type PluginPackage, type PluginRollout } from '../api/client';
import type { Person } from '../api/session';
import { ProblemNote } from '../parts/problem';
import { When } from '../parts/show';
import { Ways } from '../parts/ways';
import { BUILT_IN, pluginsOf, short, standingOf, type Standing } from '../plugins';
import { may, type Role } from '../rights';
import { useText } from '../text/text';

/** How often what is in use is asked for while somebody looks at it: others take steps too, and nodes follow. */
const LOOK_EVERY_MS = 10_000;
/** Pages of merchants that are asked for, of 200 each: past that, whoever wants one names it at the command line. */
const TENANT_PAGES_MAX = 25;
const PACKAGES = ['plugin-packages'];
const ROLLOUTS = ['plugin-rollouts'];
const PUBLISHERS = ['plugin-publishers'];
/** All that a step, a package or a publisher changes. */
export const PLUGIN_LISTS = [PACKAGES, ROLLOUTS, PUBLISHERS] as const;

/** The ways through this room. */
export function PluginsFrame({ role }: { role: Role }) {
  const { t } = useText();
  const { pathname } = useLocation();
  const isAtPublishers = pathname === '/plugins/publishers';
  const ways = [['/plugins', t.plugins.title, !isAtPublishers], ['/plugins/publishers', t.plugins.publishers, isAtPublishers]] as const;
  return (
    <Stack>
      {may(role, 'manage_plugins') && <Ways title={t.plugins.title} ways={ways} />}
      <Outlet />
    </Stack>
  );
}

export function usePackages() {
  return useQuery({ queryKey: PACKAGES, queryFn: async () => (await got(api.GET('/v1/plugin-packages'))).items });
}

export function useRollouts(wanted: boolean) {
  return useQuery({
    queryKey: ROLLOUTS, enabled: wanted, refetchInterval: LOOK_EVERY_MS,
    queryFn: async () => (await got(api.GET('/v1/plugin-rollouts'))).items,
  });
}

/** Also of a plugin that nobody has rolled out: its version is 0. */
export function useRollout(plugin: string) {
  return useQuery({
    queryKey: [...ROLLOUTS, plugin], refetchInterval: LOOK_EVERY_MS,
    queryFn: () => got(api.GET('/v1/plugin-rollouts/{plugin}', { params: { path: { plugin } } })),
  });
}

export function usePublishers(wanted: boolean) {
  return useQuery({
    queryKey: PUBLISHERS, enabled: wanted,
    queryFn: async () => (await got(api.GET('/v1/plugin-publishers'))).items,
  });
}

/** The platform's merchants; `isWhole`: there are no more of them. */
export function useTenants(wanted: boolean) {
  const tenants = useQuery({
    queryKey: ['tenants'], enabled: wanted, staleTime: 300_000,
    queryFn: async () => {
      const items: { id: string; name: string }[] = [];
      let cursor: string | null | undefined;
      for (let page = 0; page < TENANT_PAGES_MAX && cursor !== null; page += 1) {
        const query = { limit: 200, ...(cursor === undefined ? {} : { cursor }) };
        const { items: some, next_cursor: next } = await got(api.GET('/v1/tenants', { params: { query } }));
        items.push(...some);
        cursor = next ?? null;
      }
      return { items, isWhole: cursor === null };
    },
  });
  const items = tenants.data?.items ?? [];
  return { items, isWhole: tenants.data?.isWhole ?? true, error: tenants.error, name: (id: string): string => items.find((one) => one.id === id)?.name ?? id };
}

/** A step of the platform's is everybody's, a merchant's own its alone. */
export function useWords(isPlatform: boolean) {
  const { t } = useText();
  if (isPlatform) return t.plugins;
  const { everybody, fromTo, steps, questions, standings } = t.plugins.forOne;
  return {
    everybody, fromTo, steps: { ...t.plugins.steps, ...steps }, questions: { ...t.plugins.questions, ...questions }, standings: { ...t.plugins.standings, ...standings },
  };
}

export function isOfPlatform(person: Person): boolean {
  return person.role === 'platform_admin';
}

export function PluginsRoom({ person }: { person: Person }) {
  const { t } = useText();
  const mayManage = may(person.role, 'manage_plugins');
  const packages = usePackages();
  const rollouts = useRollouts(mayManage);
  const all = packages.data ?? [];
  // What the platform has for everybody, a merchant does not roll out.
  const own = all.filter(({ of_platform }) => of_platform === isOfPlatform(person));
  // Nothing is said of what is in use before core has said it.
  const plugins = packages.isSuccess && rollouts.data !== undefined ? pluginsOf(own, rollouts.data) : [];
  return (
    <Stack>
      <Title order={1} size="h2">{t.plugins.title}</Title>
      <Text c="dimmed" size="sm">{isOfPlatform(person) ? t.plugins.hint : t.plugins.hintOwn}</Text>
      <ProblemNote error={packages.error ?? rollouts.error} onRetry={() => {
        void packages.refetch();
        void rollouts.refetch();
      }} />
      {packages.isPending && !packages.isError && <Center><Loader aria-label={t.common.loading} /></Center>}
      {packages.isSuccess && (!mayManage || rollouts.data !== undefined) && all.length === 0 && plugins.length === 0 && (
        <div data-empty>
          <Text fw={600}>{t.plugins.none}</Text>
          <Text c="dimmed" size="sm">{t.plugins.noneHint}</Text>
        </div>
      )}
      <SimpleGrid cols={{ base: 1, md: 2, xl: 3 }}>
        {plugins.map((plugin) => (
          <PluginCard key={plugin} plugin={plugin} isPlatform={isOfPlatform(person)} rollout={rollouts.data?.find((one) => one.plugin === plugin)} packages={all} />
        ))}
      </SimpleGrid>
      {all.length > 0 && (
        <>
          <Title order={2} size="h4">{t.plugins.packages}</Title>
          <Packages packages={all} rollouts={rollouts.data} person={person} />
        </>
      )}
    </Stack>
  );
}

function PluginCard({ plugin, rollout, packages, isPlatform }: { plugin: string; isPlatform: boolean; rollout: PluginRollout | undefined; packages: readonly PluginPackage[] }) {
  const { t } = useText();
  const words = useWords(isPlatform);
  const isCanary = rollout?.canary != null;
  return (
    <Card withBorder data-plugin={plugin} data-step={rollout?.version ?? 0}>
      <Anchor component={Link} to={`/plugins/in-use/${plugin}`} fw={600} style={{ overflowWrap: 'anywhere' }}>{plugin}</Anchor>
      <Text size="sm">{isCanary ? t.plugins.everybodyElse : words.everybody}: <PackageName choice={rollout?.stable ?? BUILT_IN} packages={packages} isPlatform={isPlatform} /></Text>
      {rollout?.canary != null && (
        <Text size="sm">{t.plugins.canary}: <PackageName choice={rollout.canary} packages={packages} /> · {t.plugins.merchants} {rollout.canary_tenants.length}</Text>
      )}
      {rollout === undefined && <Text size="sm" c="dimmed">{t.plugins.untouched}</Text>}
      {rollout?.this_node.problem != null && <Badge color="orange" variant="light" tt="none" maw="100%">{t.plugins.behind}</Badge>}
    </Card>
  );
}

/** A version and the beginning of its hash, with the way to it. */
export function PackageName({ choice, packages, isPlatform = true }: { choice: string; packages: readonly PluginPackage[]; isPlatform?: boolean }) {
  const { t } = useText();
  // A merchant's own plugin has nothing in the operator's folder: where no package of it is in use, nothing serves.
  if (choice === BUILT_IN && !isPlatform) return <Text span size="sm" title={t.plugins.nothingHint} data-choice={choice}>{t.plugins.nothing}</Text>;
  if (choice === BUILT_IN) return <Text span size="sm" title={t.plugins.builtInHint} data-choice={choice}>{t.plugins.builtIn}</Text>;
  const version = packages.find(({ hash }) => hash === choice)?.version ?? t.plugins.unknownPackage;
  return (
    <Text span size="sm" data-choice={choice}>
      {version} <Anchor component={Link} to={`/plugins/packages/${choice}`} size="sm" title={choice}><Code c="inherit">{short(choice)}</Code></Anchor>
    </Text>
  );
}

const COLORS: Readonly<Record<Standing, string>> = { stable: 'green', canary: 'orange', previous: 'blue', retired: 'gray', unused: 'gray' };

export function StandingBadge({ standing, isPlatform }: { standing: Standing; isPlatform: boolean }) {
  const words = useWords(isPlatform);
  return <Badge color={COLORS[standing]} variant="light" tt="none" miw="max-content" data-standing={standing}>{words.standings[standing]}</Badge>;
}

/** Who signed, as far as the reader's own list of publishers knows; revoked ones are said to be. */
export function Signer({ publisher, of_platform: ofPlatform, person }: Pick<PluginPackage, 'publisher' | 'of_platform'> & { person: Person }) {
  const { t } = useText();
  const publishers = usePublishers(may(person.role, 'manage_plugins'));
  const known = publishers.data?.find(({ key_id }) => key_id === publisher);
  const name = known?.name ?? (ofPlatform && !isOfPlatform(person) ? t.plugins.ofPlatform : '');
  return (
    <Text span size="sm" title={publisher}>
      {name} <Code>{short(publisher)}</Code>
      {known?.revoked_at != null && <Text span size="xs" c="red" data-signer="revoked"> {t.plugins.revoked}</Text>}
    </Text>
  );
}

function Packages({ packages, rollouts, person }: { packages: readonly PluginPackage[]; rollouts: readonly PluginRollout[] | undefined; person: Person }) {
  const { t } = useText();
  const knowsUse = may(person.role, 'manage_plugins');
  return (
    <Paper withBorder>
      <Table.ScrollContainer minWidth={680}>
        <Table verticalSpacing="xs" data-list="packages">
          <Table.Thead>
            <Table.Tr>
              {[t.plugins.plugin, t.plugins.version, t.plugins.signedBy, t.plugins.published].map((head) => <Table.Th key={head}>{head}</Table.Th>)}
              {!isOfPlatform(person) && <Table.Th>{t.plugins.whose}</Table.Th>}
              {knowsUse && <Table.Th>{t.plugins.rollouts}</Table.Th>}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {packages.map((one) => {
              const isOthers = one.of_platform !== isOfPlatform(person);
              const rollout = rollouts?.find(({ plugin }) => plugin === one.plugin);
              return (
                <Table.Tr key={`${one.hash}${one.of_platform}`} data-package={one.hash}>
                  <Table.Td>{one.plugin}</Table.Td>
                  <Table.Td style={{ whiteSpace: 'nowrap' }}><PackageName choice={one.hash} packages={[one]} /></Table.Td>
                  <Table.Td><Signer {...one} person={person} /></Table.Td>
                  <Table.Td><When at={one.published_at} /></Table.Td>
                  {!isOfPlatform(person) && <Table.Td>{isOthers ? t.plugins.platformOnly : t.plugins.own}</Table.Td>}
                  {knowsUse && (
                    <Table.Td>
                      {(isOthers || rollouts === undefined) && one.retired_at == null ? '–' : <StandingBadge standing={standingOf(one.hash, rollout, one.retired_at != null)} isPlatform={isOfPlatform(person)} />}
                    </Table.Td>
                  )}
                </Table.Tr>
              );
            })}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Paper>
  );
}
