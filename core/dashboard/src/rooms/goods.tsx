// What the merchant's tills sell: found by name or barcode, added, changed, withdrawn and sold again.

import { Badge, Button, Center, Group, Loader, Modal, Paper, SegmentedControl, Stack, Table, Text, TextInput, Title } from '@mantine/core';
import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { Link, Outlet, useLocation, useSearchParams } from 'react-router';
import { api, type Goods, got, type NewGoods, type TaxRate } from '../api/client';
import type { Intent } from '../api/intent';
import { asProblem } from '../api/problem';
import { changed, percentOf } from '../goods';
import { More } from '../parts/more';
import { ProblemNote } from '../parts/problem';
import { Amount } from '../parts/show';
import { Unanswered } from '../parts/unanswered';
import { Ways } from '../parts/ways';
import { may, type Role } from '../rights';
import { useText, wordFor } from '../text/text';
import { ADDED, GOODS, GoodsForm, useTaxRates } from './goods-form';
import { useNames } from './payments';

const ONLY = ['sold', 'withdrawn', 'all'] as const;

/** The ways through this room. */
export function GoodsFrame({ role }: { role: Role }) {
  const { t } = useText();
  const { pathname } = useLocation();
  const paths = [
    ['/goods', t.goods.list], ['/goods/taxes', t.taxes.title], ...(may(role, 'manage_goods') ? [['/goods/import', t.goods.import] as const] : []),
  ] as const;
  return (
    <Stack>
      <Ways title={t.goods.title} ways={paths.map(([path, label]) => [path, label, pathname === path] as const)} />
      <Outlet />
    </Stack>
  );
}

/** What is asked: the form of new goods or of some, or whether some shall be sold no more, or again. */
type Asked = { kind: 'add'; again: Intent<NewGoods> | null } | { kind: 'change' | 'turn'; goods: Goods };

export function GoodsRoom({ role, currency }: { role: Role; currency: string }) {
  const { t } = useText();
  const [search, setSearch] = useSearchParams();
  const words = search.get('search') ?? '';
  const only = ONLY.find((known) => known === search.get('only')) ?? 'sold';
  const [typed, setTyped] = useState(words);
  const field = useRef<HTMLInputElement>(null);
  const [asked, setAsked] = useState<Asked | null>(null);
  const [added, setAdded] = useState<string | null>(null);
  const manages = may(role, 'manage_goods');
  const rates = useTaxRates();
  const look = (wanted: { words: string; only: (typeof ONLY)[number] }): void =>
    setSearch({ ...(wanted.words === '' ? {} : { search: wanted.words }), ...(wanted.only === 'sold' ? {} : { only: wanted.only }) }, { replace: true });
  const filter = { ...(words === '' ? {} : { search: words }), ...(only === 'all' ? {} : { active: only === 'sold' }) };
  const list = useInfiniteQuery({
    queryKey: [...GOODS, filter],
    initialPageParam: '',
    queryFn: ({ pageParam }) => got(api.GET('/v1/goods', { params: { query: { ...filter, ...(pageParam === '' ? {} : { cursor: pageParam }) } } })),
    getNextPageParam: (page) => page.next_cursor ?? null,
  });
  const goods = list.data?.pages.flatMap(({ items }) => items) ?? [];
  const ask = (next: Asked): void => {
    setAdded(null);
    setAsked(next);
  };
  const add = (again: Intent<NewGoods> | null = null): void => ask({ kind: 'add', again });
  return (
    <Stack>
      <Group justify="space-between">
        <Title order={1} size="h2">{t.goods.title}</Title>
        {manages && <Button data-action="add-goods" onClick={() => add()}>{t.goods.add}</Button>}
      </Group>
      <Text c="dimmed" size="sm">{t.goods.hint}</Text>
      <Unanswered<NewGoods> place={ADDED} words={({ name }) => `${t.goods.add} · ${name}`} onAgain={add} anew={() => () => add()} />
      {added !== null && <Text size="sm" role="status" data-added>{t.goods.added}: {added}</Text>}
      <Group component="form" align="flex-end" role="search" onSubmit={(event) => {
        event.preventDefault();
        look({ words: typed.trim(), only });
        // What is scanned next takes its place.
        field.current?.select();
      }}>
        <TextInput label={t.goods.find} placeholder={t.goods.findHint} data-input="search" ref={field} maxLength={128} value={typed}
          onFocus={({ currentTarget }) => currentTarget.select()} onChange={({ currentTarget: { value } }) => setTyped(value)} />
        <Button type="submit" variant="default" data-action="find">{t.goods.look}</Button>
        <SegmentedControl aria-label={t.goods.only} value={only} onChange={(value) => look({ words, only: ONLY.find((known) => known === value) ?? 'sold' })}
          data={ONLY.map((value) => ({ value, label: wordFor(t.goods.onlys, value) }))} />
      </Group>
      <ProblemNote error={list.error ?? rates.error} onRetry={() => void Promise.all([list.refetch(), rates.refetch()])} />
      {list.isPending && !list.isError && <Center><Loader aria-label={t.common.loading} /></Center>}
      {list.isSuccess && goods.length === 0 && <Text c="dimmed" data-empty>{words === '' && only !== 'withdrawn' ? t.goods.none : t.goods.noneLike}</Text>}
      {goods.length > 0 && <List goods={goods} rates={rates.data ?? []} {...(manages ? { onAsk: ask } : {})} />}
      <More list={list} />
      {asked?.kind === 'add' && <GoodsForm currency={currency} goods={null} first={asked.again} onClose={() => setAsked(null)} onDone={setAdded} />}
      {asked?.kind === 'change' && (
        // A form is of the version that was seen; another one is another form.
        <GoodsForm key={asked.goods.version} currency={currency} goods={asked.goods} first={null} onClose={() => setAsked(null)} onSeen={(seen) => setAsked({ kind: 'change', goods: seen })} />
      )}
      {asked?.kind === 'turn' && <TurnQuestion goods={asked.goods} onClose={() => setAsked(null)} />}
    </Stack>
  );
}

function List({ goods, rates, onAsk }: { goods: readonly Goods[]; rates: readonly TaxRate[]; onAsk?: (asked: Asked) => void }) {
  const { t } = useText();
  const names = useNames();
  const tax = (id: string | null | undefined): string => {
    const rate = rates.find((one) => one.id === id);
    return rate === undefined ? id ?? '–' : `${rate.name} ${percentOf(rate.basis_points)}%`;
  };
  return (
    <Paper withBorder>
      <Table.ScrollContainer minWidth={300}>
        <Table verticalSpacing="xs" data-list="goods">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t.goods.name}</Table.Th>
              <Table.Th visibleFrom="md">{t.goods.barcodes}</Table.Th>
              <Table.Th ta="right">{t.goods.price}</Table.Th>
              <Table.Th visibleFrom="lg">{t.goods.tax}</Table.Th>
              <Table.Th visibleFrom="lg">{t.goods.stores}</Table.Th>
              {onAsk !== undefined && <Table.Th visibleFrom="sm" />}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {goods.map((one) => {
              const deeds = onAsk === undefined ? null : (
                <Group gap={4} wrap="nowrap">
                  <Button size="compact-xs" variant="default" data-action="change" aria-label={`${t.goods.change}: ${one.name}`} onClick={() => onAsk({ kind: 'change', goods: one })}>{t.goods.change}</Button>
                  <Button size="compact-xs" variant="subtle" data-action="turn" aria-label={`${one.active ? t.goods.withdraw : t.goods.back}: ${one.name}`} onClick={() => onAsk({ kind: 'turn', goods: one })}>
                    {one.active ? t.goods.withdraw : t.goods.back}
                  </Button>
                </Group>
              );
              return (
                <Table.Tr key={one.id} data-goods={one.id} data-active={one.active}>
                  <Table.Td style={{ overflowWrap: 'anywhere' }}>
                    {one.name} {!one.active && <Badge color="gray" variant="light" tt="none" miw="max-content">{t.goods.withdrawn}</Badge>}
                    <Text size="xs" c="dimmed" hiddenFrom="md">{one.barcodes.join(' ')}</Text>
                    {deeds !== null && <Group hiddenFrom="sm" mt={4}>{deeds}</Group>}
                  </Table.Td>
                  <Table.Td visibleFrom="md" style={{ overflowWrap: 'anywhere' }}>{one.barcodes.join(' ')}</Table.Td>
                  <Table.Td ta="right"><Amount money={one.price} />{one.by_weight && <Text span size="xs">{t.goods.perKg}</Text>}</Table.Td>
                  <Table.Td visibleFrom="lg">{tax(one.tax_rate)}</Table.Td>
                  <Table.Td visibleFrom="lg">{one.stores.length === 0 ? t.goods.allStores : one.stores.map(names.store).join(', ')}</Table.Td>
                  {deeds !== null && <Table.Td visibleFrom="sm">{deeds}</Table.Td>}
                </Table.Tr>
              );
            })}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Paper>
  );
}

/** Sold no more, or again. */
function TurnQuestion({ goods, onClose }: { goods: Goods; onClose: () => void }) {
  const { t } = useText();
  const queryClient = useQueryClient();
  const turn = useMutation({
    mutationFn: () => got(api.PUT('/v1/goods/{goods}', { params: { path: { goods: goods.id } }, body: changed(goods, { active: !goods.active }) })),
    onSuccess: onClose,
    onSettled: () => queryClient.invalidateQueries({ queryKey: GOODS }),
  });
  const isStale = turn.error !== null && asProblem(turn.error).code === 'changed_meanwhile';
  const deed = goods.active ? t.goods.withdraw : t.goods.back;
  return (
    <Modal opened onClose={onClose} title={`${deed} · ${goods.name}`} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack data-question="turn-goods">
        {goods.active && <Text size="sm">{t.goods.withdrawText}</Text>}
        <ProblemNote error={turn.error} words={t.goods.problems} {...(isStale ? { onRetry: onClose, action: t.goods.loadAnew } : {})} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>{t.goods.keep}</Button>
          <Button {...(goods.active ? { color: 'red' } : {})} disabled={isStale} loading={turn.isPending} data-action="yes" onClick={() => turn.mutate()}>{deed}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}

/** A way to the list of all, for whoever has come in elsewhere. */
export function ToGoods() {
  const { t } = useText();
  return <Button component={Link} to="/goods" variant="default" data-action="to-goods">{t.goods.toList}</Button>;
}
