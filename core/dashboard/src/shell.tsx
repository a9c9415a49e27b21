// The frame around the rooms: where one is, who one is, whether what one sees is live.

import {
  ActionIcon, Alert, AppShell, Badge, Burger, Button, Group, NavLink, Text, useComputedColorScheme, useMantineColorScheme,
} from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { createContext, type ReactNode, useContext } from 'react';
import { Link, useLocation } from 'react-router';
import { type Person, signOut, type Tenant } from './api/session';
import type { StreamStatus } from './api/stream';
import { useLive } from './live';
import { may } from './rights';
import { useText, wordFor } from './text/text';

const LiveContext = createContext<StreamStatus>('connecting');
export const useStreamStatus = (): StreamStatus => useContext(LiveContext);

const COLORS: Readonly<Record<StreamStatus, string>> = { live: 'green', connecting: 'gray', broken: 'orange' };

export function Shell({ person, tenant, children }: { person: Person; tenant: Tenant | undefined; children: ReactNode }) {
  const { t, language, setLanguage } = useText();
  const [opened, { toggle, close }] = useDisclosure();
  const { pathname } = useLocation();
  const scheme = useComputedColorScheme('light');
  const { setColorScheme } = useMantineColorScheme();
  const isLive = may(person.role, 'read_payments');
  const status = useLive(isLive);
  const words: Record<StreamStatus, string> = { live: t.shell.live, connecting: t.shell.connecting, broken: t.shell.broken };
  const rooms = [
    ...(isLive ? [['/payments', t.rooms.payments], ['/terminals', t.rooms.terminals]] as const : []),
    ...(isLive ? [['/goods', t.rooms.goods] as const] : []),
    ...(may(person.role, 'manage_cashiers') ? [['/cashiers', t.rooms.cashiers] as const] : []),
    ...(may(person.role, 'read_books')
      ? [['/batches', t.rooms.batches], ['/reconciliation', t.rooms.reconciliation], ['/books', t.rooms.books]] as const
      : []),
    ...(isLive ? [['/static-codes', t.rooms.staticCodes] as const] : []),
    ...(may(person.role, 'read_stored_value') ? [['/stored-value', t.rooms.storedValue] as const] : []),
    ...(may(person.role, 'manage_channels') ? [['/rules', t.rooms.rules] as const] : []),
    ...(person.role === 'owner' ? [['/webhooks', t.rooms.webhooks] as const] : []),
    ...(may(person.role, 'publish_plugins') ? [['/plugins', t.rooms.plugins] as const] : []),
  ] as const;
  return (
    <LiveContext value={status}>
      <AppShell header={{ height: 56 }} navbar={{ width: 200, breakpoint: 'sm', collapsed: { mobile: !opened } }} padding="md">
        <AppShell.Header>
          <Group h="100%" px="md" justify="space-between" wrap="nowrap">
            <Group wrap="nowrap" gap="sm" miw={0}>
              <Burger opened={opened} onClick={toggle} hiddenFrom="sm" size="sm" aria-label={t.shell.menu} />
              <Text fw={700} c="var(--mantine-primary-color-light-color)" style={{ whiteSpace: 'nowrap' }}>{t.product}</Text>
              <Text truncate visibleFrom="xs" data-tenant>{tenant?.name}</Text>
            </Group>
            <Group wrap="nowrap" gap="xs" style={{ flexShrink: 0 }}>
              {isLive && (
                <Badge color={COLORS[status]} variant="dot" tt="none" maw={{ base: 110, sm: 'none' }} title={words[status]} data-live={status} role="status">{words[status]}</Badge>
              )}
              <Button variant="subtle" size="compact-sm" data-action="language" onClick={() => setLanguage(language === 'zh' ? 'en' : 'zh')} title={t.shell.switchLanguage}>
                {language === 'zh' ? 'EN' : '中文'}
              </Button>
              <ActionIcon variant="subtle" aria-label={scheme === 'dark' ? t.shell.light : t.shell.dark}
                onClick={() => setColorScheme(scheme === 'dark' ? 'light' : 'dark')}>
                {scheme === 'dark' ? '☀' : '☾'}
              </ActionIcon>
              <Button variant="default" size="compact-sm" visibleFrom="sm" data-action="sign-out" onClick={() => void signOut()}>{t.shell.signOut}</Button>
            </Group>
          </Group>
        </AppShell.Header>
        <AppShell.Navbar p="xs">
          {rooms.map(([path, label]) => (
            <NavLink key={path} component={Link} to={path} label={label} active={pathname.startsWith(path)} onClick={close} data-room={path} />
          ))}
          <Text size="xs" c="dimmed" mt="auto" p="xs">{person.name}<br />{wordFor(t.roles, person.role)}</Text>
          <Button variant="default" size="compact-sm" hiddenFrom="sm" onClick={() => void signOut()}>{t.shell.signOut}</Button>
        </AppShell.Navbar>
        <AppShell.Main>
          {rooms.length > 0 ? children : <Alert>{t.shell.noRooms}</Alert>}
        </AppShell.Main>
      </AppShell>
    </LiveContext>
  );
}
