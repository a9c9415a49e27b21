// The form of something that is sold: new goods, and what is to be another way about some.

import { Button, Group, Modal, MultiSelect, Select, Stack, Switch, TagsInput, Text, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, type Goods, got, type NewGoods, type TaxRate } from '../api/client';
import { type Intent, useIntent, useUnanswered } from '../api/intent';
import { asProblem } from '../api/problem';
import { BARCODES_MAX, barcodeAt, changed, isWholeLabel, NAME_LEN_MAX, offered, percentOf, readGoods, readPrice, type TypedGoods, typedGoods, wrongBarcodes } from '../goods';
import { ProblemNote } from '../parts/problem';
import { AskedAgain } from '../parts/unanswered';
import { fill } from '../text/fill';
import { useText } from '../text/text';

export const GOODS = ['goods'];
export const TAX_RATES = ['tax-rates'];
/** Where new ones are asked for. */
export const ADDED = 'goods';

export function useTaxRates() {
  return useQuery({ queryKey: TAX_RATES, queryFn: async () => (await got(api.GET('/v1/tax-rates'))).items });
}

/** `onSeen`: the goods as they are by now, where somebody else was faster; `onDone`: the name of what is new. */
export function GoodsForm({ currency, goods, first, onClose, onSeen, onDone }: {
  currency: string; goods: Goods | null; first: Intent<NewGoods> | null; onClose: () => void; onSeen?: (goods: Goods) => void; onDone?: (name: string) => void;
}) {
  const { t } = useText();
  const queryClient = useQueryClient();
  const [typed, setTyped] = useState<TypedGoods>(() => typedGoods(goods ?? first?.said ?? null, currency));
  const intent = useIntent(ADDED, first);
  const others = useUnanswered(ADDED).length;
  const said = readGoods(typed, currency);
  const save = useMutation({
    mutationFn: (body: NewGoods): Promise<Goods> => {
      if (goods === null) return intent.send(body, (asked, key) => got(api.POST('/v1/goods', { params: { header: { 'Idempotency-Key': key } }, body: asked })));
      // As it was when the form was opened: what somebody else has changed since is not undone.
      return got(api.PUT('/v1/goods/{goods}', { params: { path: { goods: goods.id } }, body: { ...changed(goods, { tax_rate: null }), ...body } }));
    },
    onSuccess: ({ name }) => {
      onDone?.(name);
      onClose();
    },
    // Also after an answer that was lost: it may be done.
    onSettled: () => queryClient.invalidateQueries({ queryKey: GOODS }),
  });
  const load = useMutation({
    mutationFn: (id: string) => got(api.GET('/v1/goods/{goods}', { params: { path: { goods: id } } })),
    onSuccess: (now) => onSeen?.(now),
  });
  const problem = save.error === null ? null : asProblem(save.error);
  const isFixed = intent.isInDoubt || save.isPending;
  const isStale = problem?.code === 'changed_meanwhile';
  const leave = (): void => {
    if (!save.isPending) onClose();
  };
  const set = (what: Partial<TypedGoods>): void => {
    save.reset();
    setTyped({ ...typed, ...what });
  };
  const taken = problem?.code === 'conflict' ? save.variables?.barcodes?.[barcodeAt(problem.pointer) ?? -1] : undefined;
  return (
    <Modal opened onClose={leave} title={goods === null ? t.goods.add : `${t.goods.change} · ${goods.name}`} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack component="form" data-form="goods" onSubmit={(event) => {
        event.preventDefault();
        if (said !== null && !save.isPending && !isStale) save.mutate(said);
      }}>
        <AskedAgain isInDoubt={intent.isInDoubt} others={goods !== null || save.isPending ? 0 : others} />
        <TextInput label={t.goods.name} description={t.goods.nameHint} name="name" required maxLength={NAME_LEN_MAX} data-autofocus disabled={isFixed} value={typed.name}
          onChange={({ currentTarget: { value } }) => set({ name: value })} />
        <Switch label={t.goods.byWeight} description={t.goods.byWeightHint} data-switch="by-weight" disabled={isFixed} checked={typed.byWeight}
          onChange={({ currentTarget: { checked } }) => set({ byWeight: checked })} />
        <TextInput label={`${typed.byWeight ? t.goods.priceKg : t.goods.price} (${currency})`} name="price" required inputMode="decimal" disabled={isFixed} value={typed.price}
          error={typed.price.trim() === '' || readPrice(typed.price, currency) !== null ? null : t.goods.badPrice} onChange={({ currentTarget: { value } }) => set({ price: value })} />
        <Barcodes typed={typed} taken={taken} isFixed={isFixed} onCodes={(barcodes) => set({ barcodes })} />
        <Belongings typed={typed} isFixed={isFixed} onTyped={set} />
        <ProblemNote error={taken === undefined ? save.error : null} words={t.goods.problems}
          {...(isStale && goods !== null ? { onRetry: () => load.mutate(goods.id), action: t.goods.loadAnew } : {})} />
        <ProblemNote error={load.error} />
        <Group justify="flex-end">
          <Button variant="default" disabled={save.isPending} onClick={leave}>{t.common.close}</Button>
          <Button type="submit" disabled={said === null || isStale} loading={save.isPending} data-action="save">
            {intent.isInDoubt ? t.unanswered.again : goods === null ? t.goods.add : t.goods.save}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}

/** A scanner types a code and Enter, which takes it in here and does not send the form. */
function Barcodes({ typed, taken, isFixed, onCodes }: { typed: TypedGoods; taken: string | undefined; isFixed: boolean; onCodes: (codes: string[]) => void }) {
  const { t } = useText();
  const words = t.goods.wrongBarcode;
  const wrong = wrongBarcodes(typed.barcodes).map(({ code, fault }) => fill(words[fault.kind], { code, ...fault }));
  const told = taken === undefined ? wrong : [...wrong, fill(words.taken, { code: taken })];
  const label = typed.byWeight ? typed.barcodes.find(isWholeLabel) : undefined;
  return (
    <>
      <TagsInput label={t.goods.barcodes} description={t.goods.barcodesHint} data-input="barcodes" value={[...typed.barcodes]} onChange={onCodes} disabled={isFixed}
        maxTags={BARCODES_MAX} splitChars={[' ', '\n', '\t']} isDuplicate={(code, codes) => codes.includes(code)}
        error={told.length === 0 ? null : <span data-wrong-barcode>{told.join('; ')}</span>} />
      {typed.byWeight && <Text size="xs" c="dimmed">{t.goods.labelHint}</Text>}
      {label !== undefined && <Text size="sm" role="status" data-whole-label>{fill(t.goods.wholeLabel, { code: label })}</Text>}
    </>
  );
}

/** Its tax, and where it is sold. */
function Belongings({ typed, isFixed, onTyped }: { typed: TypedGoods; isFixed: boolean; onTyped: (what: Partial<TypedGoods>) => void }) {
  const { t } = useText();
  const rates = useTaxRates();
  const stores = useQuery({ queryKey: ['stores'], queryFn: () => got(api.GET('/v1/stores')) });
  const [kept] = useState(typed.taxRate);
  const words = ({ name, basis_points, included }: TaxRate): string => `${name} ${percentOf(basis_points)}% (${included ? t.taxes.inside : t.taxes.onTop})`;
  return (
    <>
      <Select label={t.goods.tax} name="tax" data-input="tax" clearable placeholder={t.goods.noTax} disabled={isFixed} value={typed.taxRate}
        data={offered(rates.data ?? [], kept).map((rate) => ({ value: rate.id, label: words(rate) }))} onChange={(taxRate) => onTyped({ taxRate })} />
      <StoresChoice chosen={typed.stores} isFixed={isFixed} onChosen={(chosen) => onTyped({ stores: chosen })} />
      <ProblemNote error={rates.error ?? stores.error} />
    </>
  );
}

/** Of one store there is nothing to choose. */
export function StoresChoice({ chosen, isFixed, onChosen }: { chosen: readonly string[]; isFixed: boolean; onChosen: (stores: string[]) => void }) {
  const { t } = useText();
  const stores = useQuery({ queryKey: ['stores'], queryFn: () => got(api.GET('/v1/stores')) });
  const open = (stores.data?.items ?? []).filter(({ id, active }) => active || chosen.includes(id));
  if (open.length < 2 && chosen.length === 0) return null;
  return (
    <MultiSelect label={t.goods.stores} description={t.goods.storesHint} name="stores" disabled={isFixed} value={[...chosen]} onChange={onChosen}
      data={open.map(({ id, name }) => ({ value: id, label: name }))} />
  );
}
