// Printed codes of small stalls: those there are, new ones, their pictures for the printer, and their end.

import { Badge, Button, Card, Center, Group, Image, Loader, Modal, Select, SimpleGrid, Stack, Text, TextInput, Title } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, authorized, got, type NewStaticCode, type StaticCode } from '../api/client';
import { type Intent, useIntent, useUnanswered } from '../api/intent';
import { problemFrom } from '../api/problem';
import { parseMinor } from '../money/money';
import { ProblemNote } from '../parts/problem';
import { When } from '../parts/show';
import { AskedAgain, Unanswered } from '../parts/unanswered';
import { may, type Role } from '../rights';
import { boundsOf, inOrder, type PictureFormat, pictureOf, readCode } from '../static-codes';
import { useText } from '../text/text';
import { useNames, useTerminals } from './payments';

const STATIC_CODES = ['static-codes'];
/** Where new ones are asked for. */
const MADE = 'static-codes';

export function StaticCodesRoom({ role, currency }: { role: Role; currency: string }) {
  const { t } = useText();
  const [making, setMaking] = useState<{ again: Intent<NewStaticCode> | null } | null>(null);
  const [shown, setShown] = useState<StaticCode | null>(null);
  const [ending, setEnding] = useState<StaticCode | null>(null);
  const [placing, setPlacing] = useState<StaticCode | null>(null);
  const manages = may(role, 'manage_stores');
  const list = useQuery({ queryKey: STATIC_CODES, queryFn: async () => (await got(api.GET('/v1/static-codes'))).items });
  return (
    <Stack>
      <Group justify="space-between">
        <Title order={1} size="h2">{t.staticCodes.title}</Title>
        {manages && <Button data-action="make-code" onClick={() => setMaking({ again: null })}>{t.staticCodes.make}</Button>}
      </Group>
      <Text c="dimmed" size="sm">{t.staticCodes.hint}</Text>
      <Unanswered<NewStaticCode> place={MADE} words={({ label }) => `${t.staticCodes.asked} · ${label}`} onAgain={(again) => setMaking({ again })}
        anew={() => () => setMaking({ again: null })} />
      <ProblemNote error={list.error} onRetry={() => void list.refetch()} />
      {list.isPending && !list.isError && <Center><Loader aria-label={t.common.loading} /></Center>}
      {list.data?.length === 0 && <Text c="dimmed" data-empty>{t.staticCodes.none}</Text>}
      <SimpleGrid cols={{ base: 1, md: 2, xl: 3 }}>
        {inOrder(list.data ?? []).map((code) => (
          <CodeCard key={code.id} code={code} manages={manages} onShow={() => setShown(code)} onPlace={() => setPlacing(code)} onEnd={() => setEnding(code)} />
        ))}
      </SimpleGrid>
      {making !== null && <MakeCode currency={currency} first={making.again} onClose={() => setMaking(null)} />}
      {shown !== null && <Picture code={shown} onClose={() => setShown(null)} />}
      {placing !== null && <AnnounceAt code={placing} onClose={() => setPlacing(null)} />}
      {ending !== null && <EndCode code={ending} onClose={() => setEnding(null)} />}
    </Stack>
  );
}

function CodeCard({ code, manages, onShow, onPlace, onEnd }: { code: StaticCode; manages: boolean; onShow: () => void; onPlace: () => void; onEnd: () => void }) {
  const { t } = useText();
  const names = useNames();
  const isOver = code.revoked_at != null;
  return (
    <Card withBorder data-static-code={code.id} data-revoked={isOver}>
      <Group justify="space-between" mb="xs" wrap="nowrap">
        <Text fw={600} style={{ overflowWrap: 'anywhere' }}>{code.label}</Text>
        <Badge color={isOver ? 'gray' : 'green'} variant="light" tt="none" miw="max-content">{isOver ? t.staticCodes.revoked : t.staticCodes.inForce}</Badge>
      </Group>
      <Text size="sm">{names.store(code.store)}{code.terminal == null ? '' : ` · ${names.terminal(code.terminal)}`}</Text>
      {code.announce_at != null && <Text size="sm" data-announced>{t.staticCodes.announcedAt}: {names.terminal(code.announce_at)}</Text>}
      <Text size="sm" c="dimmed">{t.staticCodes.bounds}: {boundsOf(code)}</Text>
      <Text size="sm" c="dimmed">{t.staticCodes.made}: <When at={code.created_at} /></Text>
      {!isOver && (
        <Group mt="sm" gap="xs">
          <Button size="compact-sm" variant="default" data-action="show-code" onClick={onShow}>{t.staticCodes.show}</Button>
          {manages && <Button size="compact-sm" variant="default" data-action="announce-code" onClick={onPlace}>{t.staticCodes.announce}</Button>}
          {manages && <Button size="compact-sm" variant="default" color="red" data-action="revoke-code" onClick={onEnd}>{t.staticCodes.revoke}</Button>}
        </Group>
      )}
    </Card>
  );
}

function MakeCode({ currency, first, onClose }: { currency: string; first: Intent<NewStaticCode> | null; onClose: () => void }) {
  const { t } = useText();
  const queryClient = useQueryClient();
  const stores = useQuery({ queryKey: ['stores'], queryFn: () => got(api.GET('/v1/stores')) });
  const terminals = useTerminals();
  const [store, setStore] = useState<string | null>(first?.said.store ?? null);
  const [terminal, setTerminal] = useState<string | null>(first?.said.terminal ?? null);
  const [announceAt, setAnnounceAt] = useState<string | null>(first?.said.announce_at ?? null);
  const [label, setLabel] = useState(first?.said.label ?? '');
  const [min, setMin] = useState('');
  const [max, setMax] = useState('');
  const intent = useIntent(MADE, first);
  const others = useUnanswered(MADE).length;
  const said = readCode({ store, terminal, announceAt, label, min, max }, currency) ?? first?.said ?? null;
  const make = useMutation({
    mutationFn: (body: NewStaticCode) =>
      intent.send(body, (asked, key) => got(api.POST('/v1/static-codes', { params: { header: { 'Idempotency-Key': key } }, body: asked }))),
    onSuccess: onClose,
    // Also after an answer that was lost: it may be there.
    onSettled: () => queryClient.invalidateQueries({ queryKey: STATIC_CODES }),
  });
  const isFixed = intent.isInDoubt || make.isPending;
  const isAmount = (text: string): boolean => text.trim() === '' || parseMinor(text, currency) !== null;
  const open = (stores.data?.items ?? []).filter(({ active }) => active);
  const tills = (terminals.data ?? []).filter((till) => till.store === store && till.revoked_at == null);
  const leave = (): void => {
    if (!make.isPending) onClose();
  };
  return (
    <Modal opened onClose={leave} title={t.staticCodes.make} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack component="form" data-form="static-code" onSubmit={(event) => {
        event.preventDefault();
        if (said !== null && !make.isPending) make.mutate(said);
      }}>
        <AskedAgain isInDoubt={intent.isInDoubt} others={make.isPending ? 0 : others} />
        <TextInput disabled={isFixed} label={t.staticCodes.label} description={t.staticCodes.labelHint} name="label" required maxLength={128} data-autofocus value={label}
          onChange={(event) => setLabel(event.currentTarget.value)} />
        <Select disabled={isFixed} label={t.staticCodes.store} name="store" required value={store} data={open.map(({ id, name }) => ({ value: id, label: name }))}
          onChange={(value) => {
            setStore(value);
            setTerminal(null);
            setAnnounceAt(null);
          }} />
        <Select disabled={isFixed} label={t.staticCodes.terminal} name="terminal" clearable placeholder={t.staticCodes.noTerminal} value={terminal}
          data={tills.map(({ id, name }) => ({ value: id, label: name }))} onChange={setTerminal} />
        <Select disabled={isFixed} label={t.staticCodes.announcedAt} description={t.staticCodes.announceHint} name="announce_at" clearable placeholder={t.staticCodes.nowhere}
          value={announceAt} data={tills.map(({ id, name }) => ({ value: id, label: name }))} onChange={setAnnounceAt} />
        <TextInput disabled={isFixed} label={`${t.staticCodes.max} (${currency})`} name="max" required={!intent.isInDoubt} inputMode="decimal" value={max}
          error={isAmount(max) ? null : t.staticCodes.badAmount} onChange={(event) => setMax(event.currentTarget.value)} />
        <TextInput disabled={isFixed} label={`${t.staticCodes.min} (${currency})`} description={t.staticCodes.minHint} name="min" inputMode="decimal" value={min}
          error={isAmount(min) ? null : t.staticCodes.badAmount} onChange={(event) => setMin(event.currentTarget.value)} />
        <ProblemNote error={make.error ?? stores.error ?? terminals.error} />
        <Group justify="flex-end">
          <Button variant="default" disabled={make.isPending} onClick={leave}>{t.common.close}</Button>
          <Button type="submit" disabled={said === null} loading={make.isPending} data-action="yes">{intent.isInDoubt ? t.unanswered.again : t.staticCodes.make}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}

/** Fetched with the token, since neither an image nor a link can carry one. */
async function picture(code: string, format: PictureFormat): Promise<Blob> {
  const response = await authorized(new Request(new URL(pictureOf(code, format), location.origin)));
  if (!response.ok) throw problemFrom(response.status, await response.json().catch(() => undefined));
  return response.blob();
}

function Picture({ code, onClose }: { code: StaticCode; onClose: () => void }) {
  const { t } = useText();
  const drawn = useQuery({
    queryKey: [...STATIC_CODES, code.id, 'picture'],
    queryFn: async () => `data:image/svg+xml;base64,${btoa(await (await picture(code.id, 'svg')).text())}`,
  });
  const save = useMutation({
    mutationFn: async (format: PictureFormat) => {
      const address = URL.createObjectURL(await picture(code.id, format));
      const link = document.createElement('a');
      link.href = address;
      link.download = `${code.id}.${format}`;
      link.click();
      URL.revokeObjectURL(address);
    },
  });
  return (
    <Modal opened fullScreen onClose={onClose} title={code.label} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack align="center" data-picture={code.id}>
        <Title order={2}>{t.staticCodes.scanToPay}</Title>
        {drawn.isPending && !drawn.isError && <Loader aria-label={t.common.loading} />}
        <ProblemNote error={drawn.error ?? save.error} onRetry={() => void drawn.refetch()} />
        {drawn.data !== undefined && <Image src={drawn.data} alt={code.url} maw={360} bg="white" p="md" />}
        <Text size="sm">{code.label}</Text>
        <Group className="saoma-not-printed">
          <Button data-action="print" disabled={drawn.data === undefined} onClick={() => window.print()}>{t.staticCodes.print}</Button>
          {(['svg', 'png'] as const).map((format) => (
            <Button key={format} variant="default" data-action={`save-${format}`} loading={save.isPending && save.variables === format} onClick={() => save.mutate(format)}>
              {t.staticCodes.save} {format.toUpperCase()}
            </Button>
          ))}
        </Group>
      </Stack>
    </Modal>
  );
}

/** Where what is paid through the code is said and shown. */
function AnnounceAt({ code, onClose }: { code: StaticCode; onClose: () => void }) {
  const { t } = useText();
  const queryClient = useQueryClient();
  const terminals = useTerminals();
  const [terminal, setTerminal] = useState<string | null>(code.announce_at ?? null);
  const tills = (terminals.data ?? []).filter((till) => till.store === code.store && till.revoked_at == null);
  const place = useMutation({
    mutationFn: () => got(api.PATCH('/v1/static-codes/{static_code}', { params: { path: { static_code: code.id } }, body: { announce_at: terminal } })),
    onSuccess: onClose,
    onSettled: () => queryClient.invalidateQueries({ queryKey: STATIC_CODES }),
  });
  return (
    <Modal opened onClose={onClose} title={`${t.staticCodes.announce} · ${code.label}`} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack component="form" data-form="announce-code" onSubmit={(event) => {
        event.preventDefault();
        if (!place.isPending) place.mutate();
      }}>
        <Select label={t.staticCodes.announcedAt} description={t.staticCodes.announceHint} name="announce_at" clearable placeholder={t.staticCodes.nowhere} value={terminal}
          data={tills.map(({ id, name }) => ({ value: id, label: name }))} onChange={setTerminal} />
        <ProblemNote error={place.error ?? terminals.error} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>{t.common.close}</Button>
          <Button type="submit" loading={place.isPending} disabled={terminals.data === undefined} data-action="yes">{t.staticCodes.announce}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}

function EndCode({ code, onClose }: { code: StaticCode; onClose: () => void }) {
  const { t } = useText();
  const queryClient = useQueryClient();
  const end = useMutation({
    mutationFn: () => got(api.POST('/v1/static-codes/{static_code}/revoke', { params: { path: { static_code: code.id } } })),
    onSuccess: onClose,
    onSettled: () => queryClient.invalidateQueries({ queryKey: STATIC_CODES }),
  });
  return (
    <Modal opened onClose={onClose} title={`${t.staticCodes.revoke} · ${code.label}`} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack data-question="revoke-code">
        <Text size="sm">{t.staticCodes.revokeText}</Text>
        <ProblemNote error={end.error} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>{t.staticCodes.keep}</Button>
          <Button color="red" loading={end.isPending} data-action="yes" onClick={() => end.mutate()}>{t.staticCodes.revoke}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
