// Goods out of a table: what it says is shown with every line that cannot be, and then all of it is added, or nothing.

import { Alert, Button, FileButton, Group, Paper, Stack, Table, Text, Textarea, Title } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useMemo, useRef, useState } from 'react';
import { api, got, type NewGoods } from '../api/client';
import { type Intent, useIntent, useUnanswered } from '../api/intent';
import { asProblem } from '../api/problem';
import { COLUMNS, FILE_BYTES_MAX, type Line, linesOf, readTable, refusedLines, textOf, type Wrong } from '../goods-table';
import { ProblemNote } from '../parts/problem';
import { AskedAgain, Unanswered } from '../parts/unanswered';
import { fill } from '../text/fill';
import type { Texts } from '../text/en';
import { useText } from '../text/text';
import { ToGoods } from './goods';
import { GOODS, StoresChoice, useTaxRates } from './goods-form';

/** Where tables are sent. */
const IMPORTED = 'goods/import';
/** Lines that are right and shown besides those that are not. */
const RIGHT_SHOWN_MAX = 50;

type Said = { goods: NewGoods[] };

export function GoodsImportRoom({ currency }: { currency: string }) {
  const { t } = useText();
  const [again, setAgain] = useState<Intent<Said> | null>(null);
  return (
    <Stack>
      <Title order={1} size="h2">{t.goods.importTitle}</Title>
      <Text c="dimmed" size="sm" maw={720}>{t.goods.importHint}</Text>
      <Unanswered<Said> place={IMPORTED} words={({ goods }) => fill(t.goods.importAsked, { count: goods.length, name: goods[0]?.name ?? '' })} onAgain={setAgain} anew={() => null} />
      {again === null ? <TableForm currency={currency} /> : <AskAgain key={again.key} intent={again} onAside={() => setAgain(null)} />}
    </Stack>
  );
}

function TableForm({ currency }: { currency: string }) {
  const { t } = useText();
  const queryClient = useQueryClient();
  const rates = useTaxRates();
  const [text, setText] = useState('');
  const [stores, setStores] = useState<string[]>([]);
  const [fault, setFault] = useState<string | null>(null);
  const forget = useRef<() => void>(null);
  const intent = useIntent<Said>(IMPORTED, null);
  const others = useUnanswered(IMPORTED).length;
  const read = useMemo(() => readTable(text, currency, rates.data ?? [], stores), [text, currency, rates.data, stores]);
  const send = useMutation({
    mutationFn: (goods: NewGoods[]) =>
      intent.send({ goods }, (body, key) => got(api.POST('/v1/goods/import', { params: { header: { 'Idempotency-Key': key } }, body }))),
    onSuccess: () => setText(''),
    onSettled: () => queryClient.invalidateQueries({ queryKey: GOODS }),
  });
  const write = (next: string): void => {
    send.reset();
    setFault(null);
    setText(next);
  };
  const open = async (file: File | null): Promise<void> => {
    if (file === null) return;
    // The same file is chosen again once it is put right.
    forget.current?.();
    write('');
    if (file.size > FILE_BYTES_MAX) return setFault(t.goods.fileTooLarge);
    const bytes = await file.arrayBuffer().catch(() => null);
    if (bytes === null) setFault(t.goods.fileUnreadable);
    else write(textOf(new Uint8Array(bytes)));
  };
  const lines = read.kind === 'lines' ? refusedLines(read.lines, send.error === null ? [] : asProblem(send.error).errors) : [];
  const wrong = lines.filter((line) => line.wrong.length > 0).length;
  // Whether a tax is there is not known before the taxes are. What core refused may be right by now: the goods that had a barcode
  // were withdrawn elsewhere.
  const isReady = read.kind === 'lines' && read.lines.every((line) => line.wrong.length === 0) && rates.data !== undefined;
  const isFixed = send.isPending || intent.isInDoubt;
  return (
    <Stack component="form" data-form="import" onSubmit={(event) => {
      event.preventDefault();
      if (isReady && !send.isPending) send.mutate(lines.map(({ goods }) => goods));
    }}>
      <AskedAgain isInDoubt={intent.isInDoubt} others={send.isPending ? 0 : others} />
      <Group>
        <FileButton resetRef={forget} accept=".csv,.tsv,.txt,text/csv" onChange={(file) => void open(file)} inputProps={{ 'aria-label': t.goods.file }} disabled={isFixed}>
          {(props) => <Button {...props} variant="default" data-action="choose-file">{t.goods.file}</Button>}
        </FileButton>
      </Group>
      <Textarea label={t.goods.table} name="table" autosize minRows={4} maxRows={12} disabled={isFixed} value={text} spellCheck={false}
        placeholder={`${COLUMNS.map((column) => t.goods.columns[column]).join(',')}\n`} onChange={({ currentTarget: { value } }) => write(value)} />
      <StoresChoice chosen={stores} isFixed={isFixed} onChosen={(next) => { send.reset(); setStores(next); }} />
      {fault !== null && <Alert color="red" role="alert" data-fault="file">{fault}</Alert>}
      {read.kind === 'heads' && <Alert color="red" role="alert" data-fault="heads">{t.goods.noHeads} {read.missing.map((column) => t.goods.columns[column]).join(', ')}</Alert>}
      {read.kind === 'long' && <Alert color="red" role="alert" data-fault="long">{fill(t.goods.tooLong, { count: read.count })}</Alert>}
      {read.kind === 'lines' && read.unused.length > 0 && <Text size="sm" c="dimmed" data-unused>{t.goods.unused} {read.unused.join(', ')}</Text>}
      {lines.length > 0 && (
        <Text size="sm" role="status" data-lines={lines.length} data-wrong={wrong}>
          {fill(t.goods.lines, { count: lines.length })}{wrong === 0 ? '' : ` · ${fill(t.goods.wrongLines, { count: wrong })}`}
        </Text>
      )}
      <ProblemNote error={send.error} words={t.goods.importProblems} />
      <ProblemNote error={rates.error} onRetry={() => void rates.refetch()} />
      {lines.length > 0 && <Preview lines={lines} />}
      {send.isSuccess && text === '' && <Done count={send.data.ids.length} />}
      <Group>
        <Button type="submit" disabled={!isReady} loading={send.isPending} data-action="import">
          {intent.isInDoubt ? t.unanswered.again : fill(t.goods.importDo, { count: lines.length })}
        </Button>
      </Group>
    </Stack>
  );
}

/** A table that had no answer, as it was. */
function AskAgain({ intent: first, onAside }: { intent: Intent<Said>; onAside: () => void }) {
  const { t } = useText();
  const queryClient = useQueryClient();
  const intent = useIntent(IMPORTED, first);
  const send = useMutation({
    mutationFn: () => intent.send(first.said, (body, key) => got(api.POST('/v1/goods/import', { params: { header: { 'Idempotency-Key': key } }, body }))),
    onSettled: () => queryClient.invalidateQueries({ queryKey: GOODS }),
  });
  const lines = refusedLines(linesOf(first.said.goods), send.error === null ? [] : asProblem(send.error).errors);
  return (
    <Stack data-form="import-again">
      <AskedAgain isInDoubt={intent.isInDoubt} others={0} />
      <ProblemNote error={send.error} words={t.goods.importProblems} />
      {send.isSuccess ? <Done count={send.data.ids.length} /> : <Preview lines={lines} />}
      <Group>
        {(intent.isInDoubt || send.isPending) && <Button loading={send.isPending} data-action="import-again" onClick={() => send.mutate()}>{t.unanswered.again}</Button>}
        <Button variant="default" disabled={send.isPending} data-action="another-table" onClick={onAside}>{t.common.close}</Button>
      </Group>
    </Stack>
  );
}

function Done({ count }: { count: number }) {
  const { t } = useText();
  return (
    <Alert color="green" role="status" data-imported={count} title={fill(t.goods.imported, { count })}>
      <ToGoods />
    </Alert>
  );
}

/** All that is wrong, then what is right as far as there is room. */
function Preview({ lines }: { lines: readonly Line[] }) {
  const { t } = useText();
  const [wrong, right] = [lines.filter((line) => line.wrong.length > 0), lines.filter((line) => line.wrong.length === 0)];
  const shown = right.slice(0, RIGHT_SHOWN_MAX);
  return (
    <Paper withBorder>
      <Table.ScrollContainer minWidth={300}>
        <Table verticalSpacing={4} data-list="lines">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t.goods.line}</Table.Th>
              {COLUMNS.map((column) => (
                <Table.Th key={column} {...(column === 'name' || column === 'price' ? {} : { visibleFrom: 'md' })}>{t.goods.columns[column]}</Table.Th>
              ))}
              <Table.Th visibleFrom="md">{t.goods.wrong}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {[...wrong, ...shown].map((line) => {
              const told = line.wrong.map((one) => wrongWords(t, one)).join('; ');
              return (
                <Table.Tr key={line.line} data-line={line.line} data-right={line.wrong.length === 0}>
                  <Table.Td>{line.line}</Table.Td>
                  {COLUMNS.map((column) => (
                    <Table.Td key={column} style={{ overflowWrap: 'anywhere' }} {...(column === 'name' || column === 'price' ? {} : { visibleFrom: 'md' })}>
                      {line.shown[column]}
                      {column === 'name' && told !== '' && <Text size="xs" c="var(--mantine-color-error)" hiddenFrom="md">{told}</Text>}
                    </Table.Td>
                  ))}
                  <Table.Td visibleFrom="md" style={{ overflowWrap: 'anywhere' }}><Text size="sm" c="var(--mantine-color-error)">{told}</Text></Table.Td>
                </Table.Tr>
              );
            })}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {shown.length < right.length && <Text size="sm" c="dimmed" p="xs" data-others>{fill(t.goods.others, { count: right.length - shown.length })}</Text>}
    </Paper>
  );
}

function wrongWords(t: Texts, wrong: Wrong): string {
  return wrong.kind === 'core' ? wrong.detail : fill(t.goods.wrongs[wrong.kind], wrong);
}
