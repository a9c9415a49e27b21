// The merchant's terminals: who is there, how they do, what they have not sent yet; and new ones with their claim codes.

import {
  Alert, Badge, Button, Card, Center, Code, CopyButton, Group, Loader, Modal, Select, SimpleGrid, Stack, Text, TextInput, Title,
} from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { api, type ClaimCode, got, type Terminal } from '../api/client';
import type { Person } from '../api/session';
import { useKeys } from '../api/wish';
import { byRisk } from '../fleet';
import { ProblemNote } from '../parts/problem';
import { Ago, Amount } from '../parts/show';
import { may } from '../rights';
import { useText, wordFor } from '../text/text';
import { moment } from '../time';
import { FleetTotals } from './fleet-totals';
import { useNames, useTerminals } from './payments';
import { HeldLink } from './terminal-held';
import { TerminalSteps } from './terminal-steps';

/** How often the terminals are asked for while somebody looks at them. */
const LOOK_EVERY_MS = 10_000;

type Standing = 'online' | 'offline' | 'unclaimed' | 'revoked';

function standingOf(terminal: Terminal): Standing {
  if (terminal.revoked_at != null) return 'revoked';
  if (terminal.enrolled_at == null) return 'unclaimed';
  return terminal.online ? 'online' : 'offline';
}

const COLORS: Readonly<Record<Standing, string>> = { online: 'green', offline: 'orange', unclaimed: 'blue', revoked: 'gray' };
const HEALTH = { ok: 'green', warning: 'yellow', failed: 'red' } as const;

async function claim(terminal: string, key: string): Promise<ClaimCode> {
  const params = { path: { terminal }, header: { 'Idempotency-Key': key } };
  return got(api.POST('/v1/terminals/{terminal}/claim-code', { params }));
}

export function TerminalsRoom({ role, currency }: { role: Person['role']; currency: string }) {
  const { t } = useText();
  const terminals = useTerminals(LOOK_EVERY_MS);
  const [adding, setAdding] = useState(false);
  const [claimed, setClaimed] = useState<ClaimCode | null>(null);
  const keys = useKeys();
  const newClaim = useMutation({
    mutationFn: (terminal: string) => claim(terminal, keys.of(terminal)),
    onSuccess: (code) => {
      keys.done();
      setClaimed(code);
    },
  });
  const mayManage = may(role, 'manage_fleet');
  const asked = terminals.data ?? [];
  return (
    <Stack>
      <Group justify="space-between">
        <Title order={1} size="h2">{t.terminals.title}</Title>
        {mayManage && <Button data-action="add-terminal" onClick={() => setAdding(true)}>{t.terminals.add}</Button>}
      </Group>
      <ProblemNote error={terminals.error} onRetry={() => void terminals.refetch()} />
      <ProblemNote error={newClaim.error} />
      {terminals.isPending && !terminals.isError && <Center><Loader /></Center>}
      {asked.length > 0 && <FleetTotals terminals={asked} />}
      {terminals.data?.length === 0 && <Text c="dimmed">{t.terminals.none}. {t.terminals.noneHint}</Text>}
      <SimpleGrid cols={{ base: 1, md: 2, xl: 3 }}>
        {byRisk(asked, currency).map((terminal) => (
          <TerminalCard key={terminal.id} terminal={terminal} role={role}
            onClaim={mayManage && terminal.revoked_at == null ? () => newClaim.mutate(terminal.id) : undefined} />
        ))}
      </SimpleGrid>
      {adding && (
        <NewTerminal
          onClose={() => setAdding(false)}
          onMade={(claimCode) => {
            setAdding(false);
            setClaimed(claimCode);
          }}
        />
      )}
      {claimed !== null && <Claim claim={claimed} onClose={() => setClaimed(null)} />}
    </Stack>
  );
}

function TerminalCard({ terminal, role, onClaim }: { terminal: Terminal; role: Person['role']; onClaim: (() => void) | undefined }) {
  const { t } = useText();
  const names = useNames();
  const standing = standingOf(terminal);
  const { health } = terminal;
  return (
    <Card withBorder data-terminal={terminal.id} data-standing={standing}>
      <Group justify="space-between" mb="xs" wrap="nowrap">
        <div>
          <Text fw={600}>{terminal.name} <Text span c="dimmed" size="sm">#{terminal.number}</Text></Text>
          <Text size="sm" c="dimmed">{names.store(terminal.store)}</Text>
        </div>
        <Badge color={COLORS[standing]} variant="light" tt="none">{t.terminals[standing]}</Badge>
      </Group>
      {terminal.enrolled_at != null && (
        <Text size="sm">{t.terminals.lastSeen}: {terminal.last_seen_at == null ? t.common.never : <Ago at={terminal.last_seen_at} />}</Text>
      )}
      {health == null ? (
        <Text size="sm" c="dimmed">{t.terminals.noHealth}</Text>
      ) : (
        <Stack gap={4} data-health>
          <Text size="sm" fw={health.unsent.count > 0 ? 600 : 400} data-unsent={health.unsent.count}>
            {t.terminals.unsent}: {health.unsent.count}
            {health.unsent.at_risk.length > 0 && <> · {t.terminals.atRisk}: {health.unsent.at_risk.map((money) => <Amount key={money.currency} money={money} />)}</>}
            {typeof health.unsent.oldest_at === 'number' && <> · {t.terminals.oldest}: <Ago at={health.unsent.oldest_at} /></>}
          </Text>
          <Group gap={4}>
            {health.peripherals.map((one) => (
              <Badge key={one.kind} color={HEALTH[one.state]} variant="dot" tt="none" title={`${one.driver} ${one.detail ?? ''}`}>
                {wordFor(t.peripherals, one.kind)}: {t.peripheralStates[one.state]}
              </Badge>
            ))}
          </Group>
          {health.peripherals.filter(({ detail }) => detail !== undefined && detail !== '').map((one) => (
            <Text key={one.kind} size="xs" c={one.state === 'ok' ? 'dimmed' : 'red'}>{wordFor(t.peripherals, one.kind)}: {one.detail}</Text>
          ))}
          <Text size="xs" c="dimmed">{t.terminals.version} {health.version} · {t.terminals.health} <Ago at={terminal.health_received_at ?? health.at} /></Text>
        </Stack>
      )}
      {may(role, 'read_books') && terminal.enrolled_at != null && <HeldLink terminal={terminal.id} />}
      {onClaim !== undefined && (
        <Group mt="sm" gap="xs">
          <Button size="compact-sm" variant="default" data-action="claim" onClick={onClaim}>
            {standing === 'unclaimed' ? t.terminals.claim : t.terminals.newClaim}
          </Button>
          <TerminalSteps terminal={terminal} />
        </Group>
      )}
    </Card>
  );
}

function NewTerminal({ onClose, onMade }: { onClose: () => void; onMade: (claim: ClaimCode) => void }) {
  const { t } = useText();
  const queryClient = useQueryClient();
  const stores = useQuery({ queryKey: ['stores'], queryFn: () => got(api.GET('/v1/stores')) });
  const [name, setName] = useState('');
  const [chosen, setChosen] = useState<string | null>(null);
  // The terminal that came of what the form says: if its claim code failed, the next attempt asks for that alone.
  const made = useRef<string | null>(null);
  const change = (set: () => void): void => {
    made.current = null;
    set();
  };
  const open = stores.data?.items.filter(({ active }) => active) ?? [];
  const store = chosen ?? open[0]?.id ?? null;
  const keys = useKeys();
  const create = useMutation({
    mutationFn: async () => {
      const body = { name: name.trim(), store: store ?? '' };
      const params = { header: { 'Idempotency-Key': keys.of(body) } };
      made.current ??= (await got(api.POST('/v1/terminals', { params, body }))).id;
      return claim(made.current, keys.of(made.current));
    },
    onSuccess: onMade,
    // Also after an answer that was lost: the terminal may be there.
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['terminals'] }),
  });
  const ready = name.trim() !== '' && store !== null;
  return (
    <Modal opened onClose={onClose} title={t.terminals.newTitle} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack component="form" data-form="terminal" onSubmit={(event) => {
        event.preventDefault();
        if (ready && !create.isPending) create.mutate();
      }}>
        <TextInput label={t.common.name} name="name" required maxLength={128} data-autofocus value={name}
          onChange={({ currentTarget: { value } }) => change(() => setName(value))} />
        <Select label={t.terminals.store} name="store" required allowDeselect={false} value={store} onChange={(value) => change(() => setChosen(value))}
          data={open.map(({ id, name: label }) => ({ value: id, label }))} />
        <ProblemNote error={create.error ?? stores.error} />
        <Button type="submit" disabled={!ready} loading={create.isPending} data-action="create">{t.terminals.create}</Button>
      </Stack>
    </Modal>
  );
}

function Claim({ claim: { claim_code, ca_fingerprint, expires_at }, onClose }: { claim: ClaimCode; onClose: () => void }) {
  const { t, locale } = useText();
  const command = `saoma-edge enrol --core https://… --claim-code ${claim_code} --ca-fingerprint ${ca_fingerprint}`;
  return (
    <Modal opened onClose={onClose} size="lg" title={t.terminals.claimTitle} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack>
        <Text size="sm">{t.terminals.claimText}</Text>
        <Text ff="monospace" size="xl" fw={700} ta="center" data-claim-code>{claim_code}</Text>
        <Text size="sm" c="dimmed">{t.terminals.fingerprint}</Text>
        <Code block style={{ overflowWrap: 'anywhere', whiteSpace: 'pre-wrap' }}>{ca_fingerprint}</Code>
        <Code block style={{ overflowWrap: 'anywhere', whiteSpace: 'pre-wrap' }}>{command}</Code>
        <Group justify="space-between">
          <Text size="sm" c="dimmed">{t.terminals.claimExpires} {moment(expires_at, locale)}</Text>
          <CopyButton value={command}>
            {({ copied, copy }) => <Button variant="light" onClick={copy}>{copied ? t.common.copied : t.common.copy}</Button>}
          </CopyButton>
        </Group>
        <Alert color="blue">{t.terminals.claimOld}</Alert>
      </Stack>
    </Modal>
  );
}
