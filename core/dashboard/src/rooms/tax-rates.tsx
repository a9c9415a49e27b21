// The taxes that goods may have: those there are, new ones, and what is to be another way about one.

import { Badge, Button, Card, Center, Group, Loader, Modal, SimpleGrid, Stack, Switch, Text, TextInput, Title } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, got, type TaxRate } from '../api/client';
import { asProblem } from '../api/problem';
import { useKeys } from '../api/wish';
import { NAME_LEN_MAX, percentOf, readPercent } from '../goods';
import { ProblemNote } from '../parts/problem';
import { may, type Role } from '../rights';
import { useText } from '../text/text';
import { TAX_RATES, useTaxRates } from './goods-form';

export function TaxRatesRoom({ role }: { role: Role }) {
  const { t } = useText();
  const [form, setForm] = useState<{ rate?: TaxRate } | null>(null);
  const list = useTaxRates();
  const manages = may(role, 'manage_goods');
  return (
    <Stack>
      <Group justify="space-between">
        <Title order={1} size="h2">{t.taxes.title}</Title>
        {manages && <Button data-action="add-tax" onClick={() => setForm({})}>{t.taxes.add}</Button>}
      </Group>
      <Text c="dimmed" size="sm">{t.taxes.hint}</Text>
      <ProblemNote error={list.error} onRetry={() => void list.refetch()} />
      {list.isPending && !list.isError && <Center><Loader aria-label={t.common.loading} /></Center>}
      {list.data?.length === 0 && <Text c="dimmed" data-empty>{t.taxes.none}</Text>}
      <SimpleGrid cols={{ base: 1, md: 2, xl: 3 }} data-list="taxes">
        {list.data?.map((rate) => (
          <Card withBorder key={rate.id} data-tax={rate.id} data-active={rate.active}>
            <Group justify="space-between" wrap="nowrap">
              <Text fw={600} style={{ overflowWrap: 'anywhere' }}>{rate.name}</Text>
              {!rate.active && <Badge color="gray" variant="light" tt="none" miw="max-content">{t.taxes.inactive}</Badge>}
            </Group>
            <Text size="sm">{percentOf(rate.basis_points)}% {rate.included ? t.taxes.inside : t.taxes.onTop}</Text>
            {manages && (
              <Group mt="sm">
                <Button size="compact-sm" variant="default" data-action="change" aria-label={`${t.taxes.change}: ${rate.name}`} onClick={() => setForm({ rate })}>{t.taxes.change}</Button>
              </Group>
            )}
          </Card>
        ))}
      </SimpleGrid>
      {form !== null && <TaxForm key={form.rate?.version} rate={form.rate} onClose={() => setForm(null)} onSeen={(rate) => setForm({ rate })} />}
    </Stack>
  );
}

function TaxForm({ rate, onClose, onSeen }: { rate: TaxRate | undefined; onClose: () => void; onSeen: (rate: TaxRate) => void }) {
  const { t } = useText();
  const queryClient = useQueryClient();
  const keys = useKeys();
  const [name, setName] = useState(rate?.name ?? '');
  const [percent, setPercent] = useState(rate === undefined ? '' : percentOf(rate.basis_points));
  const [included, setIncluded] = useState(rate?.included ?? true);
  const [active, setActive] = useState(rate?.active ?? true);
  const basisPoints = readPercent(percent);
  const save = useMutation({
    mutationFn: (basis_points: number) => {
      const said = { name: name.trim(), basis_points, included };
      if (rate === undefined) return got(api.POST('/v1/tax-rates', { params: { header: { 'Idempotency-Key': keys.of(said) } }, body: said }));
      return got(api.PUT('/v1/tax-rates/{tax_rate}', { params: { path: { tax_rate: rate.id } }, body: { version: rate.version, ...said, active } }));
    },
    onSuccess: onClose,
    // Also after an answer that was lost.
    onSettled: () => queryClient.invalidateQueries({ queryKey: TAX_RATES }),
  });
  const load = useMutation({
    mutationFn: async (id: string) => (await got(api.GET('/v1/tax-rates'))).items.find((one) => one.id === id),
    onSuccess: (now) => (now === undefined ? onClose() : onSeen(now)),
  });
  const isStale = save.error !== null && asProblem(save.error).code === 'changed_meanwhile';
  const isReady = name.trim() !== '' && basisPoints !== null && !isStale;
  return (
    <Modal opened onClose={onClose} title={rate === undefined ? t.taxes.add : `${t.taxes.change} · ${rate.name}`} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack component="form" data-form="tax" onSubmit={(event) => {
        event.preventDefault();
        if (isReady && !save.isPending) save.mutate(basisPoints);
      }}>
        <TextInput label={t.taxes.name} description={t.taxes.nameHint} name="name" required maxLength={NAME_LEN_MAX} data-autofocus value={name}
          onChange={({ currentTarget: { value } }) => setName(value)} />
        <TextInput label={t.taxes.percent} name="percent" required inputMode="decimal" value={percent} error={percent.trim() === '' || basisPoints !== null ? null : t.taxes.badPercent}
          onChange={({ currentTarget: { value } }) => setPercent(value)} />
        <Switch label={t.taxes.included} description={t.taxes.includedHint} data-switch="included" checked={included} onChange={({ currentTarget: { checked } }) => setIncluded(checked)} />
        {rate !== undefined && (
          <Switch label={t.taxes.active} description={t.taxes.activeHint} data-switch="active" checked={active} onChange={({ currentTarget: { checked } }) => setActive(checked)} />
        )}
        <ProblemNote error={save.error} words={t.taxes.problems} {...(isStale && rate !== undefined ? { onRetry: () => load.mutate(rate.id), action: t.taxes.loadAnew } : {})} />
        <ProblemNote error={load.error} />
        <Button type="submit" disabled={!isReady} loading={save.isPending} data-action="save">{rate === undefined ? t.taxes.add : t.taxes.save}</Button>
      </Stack>
    </Modal>
  );
}
