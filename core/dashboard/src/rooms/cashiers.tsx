// Who signs on at the merchant's tills: those there are, new ones, their PINs, and what they may not do alone.
//
// A PIN is typed here and sent; it is kept nowhere, and core never shows it again.

import {
  Badge, Button, Card, Center, Group, Loader, Modal, MultiSelect, PasswordInput, Select, SimpleGrid, Stack, Switch, Text, TextInput, Title,
} from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, type Cashier, got, type TillRole } from '../api/client';
import { useKeys } from '../api/wish';
import { ProblemNote } from '../parts/problem';
import { Ago } from '../parts/show';
import { useText } from '../text/text';
import { useNames } from './payments';

const CASHIERS = ['cashiers'];
const RULES = ['cashier-rules'];
const ROLES = ['cashier', 'supervisor'] as const satisfies readonly TillRole[];

export function CashiersRoom() {
  const { t } = useText();
  const [form, setForm] = useState<{ cashier?: Cashier } | null>(null);
  const [pinOf, setPinOf] = useState<Cashier | null>(null);
  const list = useQuery({ queryKey: CASHIERS, queryFn: async () => (await got(api.GET('/v1/cashiers'))).items });
  return (
    <Stack>
      <Group justify="space-between">
        <Title order={1} size="h2">{t.cashiers.title}</Title>
        <Button data-action="add-cashier" onClick={() => setForm({})}>{t.cashiers.add}</Button>
      </Group>
      <Text c="dimmed" size="sm">{t.cashiers.hint}</Text>
      <Rules />
      <ProblemNote error={list.error} onRetry={() => void list.refetch()} />
      {list.isPending && !list.isError && <Center><Loader /></Center>}
      {list.data?.every((cashier) => !cashier.active) && <Text c="dimmed">{t.cashiers.none}</Text>}
      <SimpleGrid cols={{ base: 1, md: 2, xl: 3 }}>
        {list.data?.map((cashier) => (
          <CashierCard key={cashier.id} cashier={cashier} onChange={() => setForm({ cashier })} onPin={() => setPinOf(cashier)} />
        ))}
      </SimpleGrid>
      {form !== null && <CashierForm cashier={form.cashier} onClose={() => setForm(null)} />}
      {pinOf !== null && <PinForm cashier={pinOf} onClose={() => setPinOf(null)} />}
    </Stack>
  );
}

function Rules() {
  const { t } = useText();
  const queryClient = useQueryClient();
  const rules = useQuery({ queryKey: RULES, queryFn: () => got(api.GET('/v1/cashier-rules')) });
  const change = useMutation({
    mutationFn: (needed: boolean) => got(api.PUT('/v1/cashier-rules', { body: { supervisor_for: needed ? 'refunds' : 'none' } })),
    onSettled: () => queryClient.invalidateQueries({ queryKey: RULES }),
  });
  if (rules.data === undefined) return <ProblemNote error={rules.error} onRetry={() => void rules.refetch()} />;
  return (
    <>
      <Switch label={t.cashiers.supervised} data-rule="refunds" checked={rules.data.supervisor_for === 'refunds'} disabled={change.isPending}
        onChange={({ currentTarget: { checked } }) => change.mutate(checked)} />
      <ProblemNote error={change.error} />
    </>
  );
}

function CashierCard({ cashier, onChange, onPin }: { cashier: Cashier; onChange: () => void; onPin: () => void }) {
  const { t } = useText();
  const names = useNames();
  const queryClient = useQueryClient();
  const turn = useMutation({
    mutationFn: () => {
      const params = { path: { cashier: cashier.id } };
      return got(api.PATCH('/v1/cashiers/{cashier}', { params, body: { version: cashier.version, active: !cashier.active } }));
    },
    onSettled: () => queryClient.invalidateQueries({ queryKey: CASHIERS }),
  });
  return (
    <Card withBorder data-cashier={cashier.id} data-active={cashier.active}>
      <Group justify="space-between" mb="xs" wrap="nowrap">
        <div>
          <Text fw={600}>{cashier.name} <Text span c="dimmed" size="sm">#{cashier.staff_code}</Text></Text>
          <Text size="sm" c="dimmed">{cashier.stores.length === 0 ? t.cashiers.allStores : cashier.stores.map((store) => names.store(store)).join(', ')}</Text>
        </div>
        <Badge color={!cashier.active ? 'gray' : cashier.role === 'supervisor' ? 'grape' : 'teal'} variant="light" tt="none">
          {cashier.active ? t.cashiers.roles[cashier.role] : t.cashiers.inactive}
        </Badge>
      </Group>
      <Text size="sm">{t.cashiers.pinSet}: <Ago at={cashier.pin_set_at} /></Text>
      <ProblemNote error={turn.error} />
      <Group mt="sm" gap="xs">
        <Button size="compact-sm" variant="default" data-action="change" onClick={onChange}>{t.cashiers.change}</Button>
        <Button size="compact-sm" variant="default" data-action="pin" onClick={onPin}>{t.cashiers.newPin}</Button>
        <Button size="compact-sm" variant="default" data-action="turn" loading={turn.isPending} onClick={() => turn.mutate()}>
          {cashier.active ? t.cashiers.deactivate : t.cashiers.activate}
        </Button>
      </Group>
    </Card>
  );
}

/** A new cashier, or what is to be another way about one. */
function CashierForm({ cashier, onClose }: { cashier: Cashier | undefined; onClose: () => void }) {
  const { t } = useText();
  const queryClient = useQueryClient();
  const keys = useKeys();
  const stores = useQuery({ queryKey: ['stores'], queryFn: () => got(api.GET('/v1/stores')) });
  const [name, setName] = useState(cashier?.name ?? '');
  const [staffCode, setStaffCode] = useState(cashier?.staff_code ?? '');
  const [role, setRole] = useState<TillRole>(cashier?.role ?? 'cashier');
  const [limited, setLimited] = useState<string[]>(cashier?.stores ?? []);
  const [pin, setPin] = useState('');
  const save = useMutation({
    mutationFn: () => {
      const said = { name: name.trim(), staff_code: staffCode.trim(), role, stores: limited };
      if (cashier !== undefined) {
        // As it was when the form was opened: what somebody else has changed since is not undone.
        const body = { version: cashier.version, ...said };
        return got(api.PATCH('/v1/cashiers/{cashier}', { params: { path: { cashier: cashier.id } }, body }));
      }
      const body = { ...said, pin };
      return got(api.POST('/v1/cashiers', { params: { header: { 'Idempotency-Key': keys.of(body) } }, body }));
    },
    onSuccess: onClose,
    // Also after an answer that was lost.
    onSettled: () => queryClient.invalidateQueries({ queryKey: CASHIERS }),
  });
  const ready = name.trim() !== '' && /^\d{1,8}$/.test(staffCode.trim()) && (cashier !== undefined || isPin(pin));
  return (
    <Modal opened onClose={onClose} title={cashier === undefined ? t.cashiers.add : t.cashiers.change} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack component="form" data-form="cashier" onSubmit={(event) => {
        event.preventDefault();
        if (ready && !save.isPending) save.mutate();
      }}>
        <TextInput label={t.cashiers.name} name="name" required maxLength={128} data-autofocus value={name}
          onChange={({ currentTarget: { value } }) => setName(value)} />
        <TextInput label={t.cashiers.staffCode} description={t.cashiers.staffCodeHint} name="staff_code" required maxLength={8} inputMode="numeric"
          value={staffCode} onChange={({ currentTarget: { value } }) => setStaffCode(value)} />
        <Select label={t.cashiers.role} name="role" allowDeselect={false} value={role} onChange={(value) => setRole(value === 'supervisor' ? value : 'cashier')}
          data={ROLES.map((value) => ({ value, label: t.cashiers.roles[value] }))} />
        <MultiSelect label={t.cashiers.stores} description={t.cashiers.storesHint} name="stores" value={limited} onChange={setLimited}
          data={(stores.data?.items ?? []).map(({ id, name: label }) => ({ value: id, label }))} />
        {cashier === undefined && <PinInput pin={pin} onPin={setPin} />}
        <ProblemNote error={save.error ?? stores.error} />
        <Button type="submit" disabled={!ready} loading={save.isPending} data-action="save">{t.cashiers.save}</Button>
      </Stack>
    </Modal>
  );
}

function PinForm({ cashier, onClose }: { cashier: Cashier; onClose: () => void }) {
  const { t } = useText();
  const queryClient = useQueryClient();
  const keys = useKeys();
  const [pin, setPin] = useState('');
  const save = useMutation({
    mutationFn: () => {
      const params = { path: { cashier: cashier.id }, header: { 'Idempotency-Key': keys.of(pin) } };
      return got(api.POST('/v1/cashiers/{cashier}/pin', { params, body: { pin } }));
    },
    onSuccess: onClose,
    onSettled: () => queryClient.invalidateQueries({ queryKey: CASHIERS }),
  });
  return (
    <Modal opened onClose={onClose} title={`${t.cashiers.newPin} · ${cashier.name}`} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack component="form" data-form="pin" onSubmit={(event) => {
        event.preventDefault();
        if (isPin(pin) && !save.isPending) save.mutate();
      }}>
        <PinInput pin={pin} onPin={setPin} />
        <ProblemNote error={save.error} />
        <Button type="submit" disabled={!isPin(pin)} loading={save.isPending} data-action="save">{t.cashiers.save}</Button>
      </Stack>
    </Modal>
  );
}

/** The form alone; which ones are tried first core knows. */
function isPin(pin: string): boolean {
  return /^\d{4,8}$/.test(pin);
}

function PinInput({ pin, onPin }: { pin: string; onPin: (pin: string) => void }) {
  const { t } = useText();
  return (
    <PasswordInput label={t.cashiers.pin} description={t.cashiers.pinHint} name="pin" required maxLength={8} inputMode="numeric"
      autoComplete="new-password" value={pin} onChange={({ currentTarget: { value } }) => onPin(value)} />
  );
}
