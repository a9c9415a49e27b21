// A shop's own rules: which package of rules its sales are asked of, with what settings, whether they are in force, and what they would
// make of a sale.

import { Alert, Badge, Button, Card, Center, Group, List, Loader, MultiSelect, Select, Stack, Switch, Text, TextInput, Title } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, type Extension, got, type MerchantRules } from '../api/client';
import { asProblem } from '../api/problem';
import { formatMinor, parseMinor } from '../money/money';
import { ProblemNote } from '../parts/problem';
import { SettingsFields } from '../parts/settings-form';
import { Ago } from '../parts/show';
import { fieldsOf, read, type Typed, typedOf } from '../settings-schema';
import { useText, wordFor } from '../text/text';

const RULES = ['merchant-rules'];
const EXTENSIONS = ['extensions'];
const PARTS = ['price', 'route', 'risk', 'receipt-lines'];

export function RulesRoom({ currency }: { currency: string }) {
  const { t } = useText();
  const extensions = useQuery({ queryKey: EXTENSIONS, queryFn: async () => (await got(api.GET('/v1/extensions'))).items });
  const rules = useQuery({ queryKey: RULES, queryFn: () => got(api.GET('/v1/merchant-rules')) });
  const reload = (): void => {
    void extensions.refetch();
    void rules.refetch();
  };
  return (
    <Stack>
      <Title order={1} size="h2">{t.shopRules.title}</Title>
      <Text c="dimmed" size="sm">{t.shopRules.hint}</Text>
      <ProblemNote error={extensions.error ?? rules.error} onRetry={reload} />
      {(extensions.isPending || rules.isPending) && extensions.error === null && rules.error === null && <Center><Loader aria-label={t.common.loading} /></Center>}
      {extensions.data !== undefined && rules.data !== undefined && (
        <>
          <Standing rules={rules.data} extension={extensions.data.find(({ id }) => id === rules.data.extension)} />
          {extensions.data.length === 0 && rules.data.extension == null
            ? <Text data-empty>{t.shopRules.none}</Text>
            // A form is of the version that was seen; another one is another form.
            : <RulesForm key={rules.data.version} rules={rules.data} extensions={extensions.data} onReload={reload} />}
        </>
      )}
      <TryForm currency={currency} />
    </Stack>
  );
}

function Standing({ rules, extension }: { rules: MerchantRules; extension: Extension | undefined }) {
  const { t } = useText();
  if (rules.extension == null) return <Text c="dimmed" data-rules="none">{t.shopRules.noneChosen}</Text>;
  return (
    <Card withBorder data-rules={rules.extension} data-enabled={rules.enabled} data-version={rules.version}>
      <Group justify="space-between" wrap="nowrap">
        <Text fw={600} style={{ overflowWrap: 'anywhere' }}>{extension?.name ?? rules.extension} {extension !== undefined && <Text span c="dimmed" size="sm">{t.shopRules.version} {extension.version}</Text>}</Text>
        <Badge color={rules.enabled ? 'green' : 'gray'} variant="light" tt="none" miw="max-content">{rules.enabled ? t.shopRules.on : t.shopRules.off}</Badge>
      </Group>
      {extension !== undefined && <Text size="sm">{t.shopRules.has}: {extension.rules.map((rule) => wordFor(t.shopRules.parts, rule)).join(', ')}</Text>}
      {rules.changed_at != null && <Text size="sm" c="dimmed">{t.shopRules.changed}: <Ago at={rules.changed_at} /> {t.shopRules.by} {rules.changed_by}</Text>}
      {rules.problem != null && rules.enabled && <Alert mt="sm" color="red" title={t.shopRules.problem} data-rules-problem>{rules.problem}</Alert>}
    </Card>
  );
}

function RulesForm({ rules, extensions, onReload }: { rules: MerchantRules; extensions: readonly Extension[]; onReload: () => void }) {
  const { t } = useText();
  const queryClient = useQueryClient();
  const [chosen, setChosen] = useState<string | null>(rules.extension ?? extensions[0]?.id ?? null);
  const [enabled, setEnabled] = useState(rules.extension == null ? true : rules.enabled);
  const [refusing, setRefusing] = useState(rules.extension == null ? ['risk'] : rules.refuse_on_failure);
  const extension = extensions.find(({ id }) => id === chosen);
  const isOfBefore = chosen === rules.extension;
  const before = isOfBefore ? rules.settings : {};
  const fields = fieldsOf(extension?.settings_schema);
  const [typed, setTyped] = useState<Typed>(() => typedOf(fields, before));
  const { settings, wrong } = read(fields, typed, before);
  const isRight = Object.keys(wrong).length === 0;
  const save = useMutation({
    mutationFn: () => {
      // Without the package nobody knows what its settings mean, and of wrong ones one would be missing: they stay as they are.
      const said = extension === undefined || !isRight ? {} : { settings: settings as Record<string, never> };
      const body = { version: rules.version, extension: chosen ?? '', enabled, refuse_on_failure: refusing, ...said };
      return got(api.PUT('/v1/merchant-rules', { body }));
    },
    onSuccess: (saved) => queryClient.setQueryData(RULES, saved),
  });
  const isGone = chosen !== null && extension === undefined;
  const mayBeSaved = chosen !== null && (extension !== undefined || !enabled) && (isRight || !enabled);
  const isStale = save.error !== null && asProblem(save.error).code === 'changed_meanwhile';
  const choices = [...extensions.map(({ id, name, version }) => ({ value: id, label: `${name} ${version}` })), ...(isGone ? [{ value: chosen, label: chosen }] : [])];
  return (
    <Stack component="form" maw={640} data-form="rules" onSubmit={(event) => {
      event.preventDefault();
      if (mayBeSaved && !save.isPending) save.mutate();
    }}>
      <Select label={t.shopRules.package} name="package" value={chosen} allowDeselect={false} data={choices}
        onChange={(value) => {
          const next = extensions.find(({ id }) => id === value);
          setChosen(value);
          setTyped(typedOf(fieldsOf(next?.settings_schema), value === rules.extension ? rules.settings : {}));
        }} />
      {isGone && <Text size="sm" c="dimmed">{t.shopRules.gone}</Text>}
      <Switch label={t.shopRules.enabled} data-switch="enabled" checked={enabled} onChange={({ currentTarget: { checked } }) => setEnabled(checked)} />
      {fields.length > 0 && <Title order={2} size="h4">{t.shopRules.settings}</Title>}
      <SettingsFields fields={fields} typed={typed} wrong={wrong} onChange={setTyped} />
      <MultiSelect label={t.shopRules.refuse} description={t.shopRules.refuseHint} value={refusing} onChange={setRefusing}
        data={PARTS.map((part) => ({ value: part, label: wordFor(t.shopRules.parts, part) }))} />
      <ProblemNote error={save.error} words={t.shopRules.problems} {...(isStale ? { onRetry: onReload } : {})} />
      {save.isSuccess && <Text size="sm" role="status" data-saved>{t.shopRules.saved}</Text>}
      <Group><Button type="submit" disabled={!mayBeSaved} loading={save.isPending} data-action="save">{t.shopRules.save}</Button></Group>
    </Stack>
  );
}

/** What the rules in force would make of a sale. */
function TryForm({ currency }: { currency: string }) {
  const { t } = useText();
  const stores = useQuery({ queryKey: ['stores'], queryFn: () => got(api.GET('/v1/stores')) });
  const open = (stores.data?.items ?? []).filter(({ active }) => active);
  const [amount, setAmount] = useState('');
  const [goods, setGoods] = useState('');
  const [store, setStore] = useState<string | null>(null);
  const minor = parseMinor(amount, currency);
  const where = store ?? open[0]?.id ?? null;
  const ask = useMutation({
    mutationFn: (wanted: number) => {
      const name = goods.trim();
      const lines = name === '' ? [] : [{ name, quantity: 1, price_minor: wanted }];
      return got(api.POST('/v1/quotes', { body: { amount: { minor: wanted, currency }, goods: lines, ...(where === null ? {} : { store: where }) } }));
    },
  });
  return (
    <Card withBorder maw={640}>
      <Stack component="form" data-form="try-rules" onSubmit={(event) => {
        event.preventDefault();
        if (minor !== null && !ask.isPending) ask.mutate(minor);
      }}>
        <Title order={2} size="h4">{t.shopRules.tryIt}</Title>
        <Text size="sm" c="dimmed">{t.shopRules.tryHint}</Text>
        <TextInput label={`${t.shopRules.amount} (${currency})`} name="amount" required inputMode="decimal" value={amount}
          error={amount.trim() === '' || minor !== null ? null : t.shopRules.badAmount} onChange={({ currentTarget }) => setAmount(currentTarget.value)} />
        <TextInput label={t.shopRules.goods} description={t.shopRules.goodsHint} name="goods" maxLength={128} value={goods} onChange={({ currentTarget }) => setGoods(currentTarget.value)} />
        {open.length > 1 && <Select label={t.shopRules.store} name="store" value={where} data={open.map(({ id, name }) => ({ value: id, label: name }))} onChange={setStore} />}
        <ProblemNote error={ask.error ?? stores.error} />
        <Group><Button type="submit" variant="default" disabled={minor === null} loading={ask.isPending} data-action="ask">{t.shopRules.ask}</Button></Group>
        {ask.data !== undefined && ask.variables !== undefined && (
          <Stack gap={4} data-quote={ask.data.amount.minor} role="status">
            <Text fw={600}>{t.shopRules.price}: {formatMinor(ask.data.amount.minor, currency)} {currency}</Text>
            {ask.data.adjustments.length > 0 && (
              <>
                <Text size="sm">{t.shopRules.list}: {formatMinor(ask.variables, currency)}</Text>
                {ask.data.adjustments.map(({ name, minor: by }) => <Text key={name} size="sm" data-adjustment>{name}: {formatMinor(by, currency)}</Text>)}
              </>
            )}
            {ask.data.receipt_lines.length === 0 ? <Text size="sm" c="dimmed">{t.shopRules.noLines}</Text> : <Text size="sm">{t.shopRules.lines}:</Text>}
            <List size="sm">{ask.data.receipt_lines.map((line, idx) => <List.Item key={idx} data-receipt-line>{line}</List.Item>)}</List>
            {ask.data.failed.length > 0 && <Text size="sm" c="red" data-failed>{t.shopRules.failed}: {ask.data.failed.join('; ')}</Text>}
          </Stack>
        )}
      </Stack>
    </Card>
  );
}
