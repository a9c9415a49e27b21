// What terminals sell by card without a network: the policy, what became of each sale, and a person's word about what was lost.

import { Anchor, Button, Card, Center, Checkbox, Group, Loader, Paper, SegmentedControl, Stack, Switch, Table, Text, TextInput, Title } from '@mantine/core';
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'react-router';
import { api, type CardPolicy, got, type StoredCardSale } from '../api/client';
import type { Intent } from '../api/intent';
import type { Person } from '../api/session';
import { AccountChoice } from '../parts/account-choice';
import { type Ending, EndingQuestion } from '../parts/ending';
import { More } from '../parts/more';
import { ProblemNote } from '../parts/problem';
import { Amount, When } from '../parts/show';
import { Unanswered } from '../parts/unanswered';
import { Who } from '../parts/who';
import { may } from '../rights';
import { CARD_LIMITS, isCardSum, readCardLimit, readCardRules, readPrefixes, typedCardRules } from '../stored-cards';
import { useText, wordFor } from '../text/text';

const STORED_CARDS = ['stored-cards'];
const POLICY = [...STORED_CARDS, 'policy'];
const ONLY = ['open', 'waiting', 'all'] as const;
/** Where losses are ended. */
const RESOLVED = 'stored-cards/losses';

/** To end a loss, to let in the card of one that is ended, to let a sale go out that is held. */
type Deed = 'resolve' | 'unblock' | 'forward';

type Resolved = Ending<'unblock'> & { deed: Deed };

export function StoredCardsRoom({ person, currency }: { person: Person; currency: string }) {
  const { t } = useText();
  const shown = useQuery({ queryKey: POLICY, queryFn: () => got(api.GET('/v1/stored-cards/policy')) });
  return (
    <Stack>
      <Title order={1} size="h2">{t.storedCards.title}</Title>
      <Text c="dimmed" size="sm">{t.storedCards.hint}</Text>
      <ProblemNote error={shown.error} onRetry={() => void shown.refetch()} />
      {shown.isPending && !shown.isError && <Center><Loader aria-label={t.common.loading} /></Center>}
      {shown.data !== undefined && <Policy key={shown.data.version} policy={shown.data} currency={currency} isOwn={may(person.role, 'manage_people')} />}
      <Sales person={person} />
    </Stack>
  );
}

/** `isOwn`: only an owner manages channel accounts. */
function Policy({ policy, currency, isOwn }: { policy: CardPolicy; currency: string; isOwn: boolean }) {
  const { t } = useText();
  const queryClient = useQueryClient();
  const [isOn, setIsOn] = useState(policy.enabled);
  const [account, setAccount] = useState(policy.channel_account ?? '');
  const [typed, setTyped] = useState(typedCardRules(policy.rules, currency));
  const rules = readCardRules(typed, currency);
  const set = useMutation({
    mutationFn: (asked: NonNullable<typeof rules>) => got(api.PUT('/v1/stored-cards/policy', { body: { enabled: isOn, channel_account: account, rules: asked } })),
    onSuccess: (now) => queryClient.setQueryData(POLICY, now),
  });
  const isFixed = !isOwn || set.isPending;
  return (
    <Card withBorder data-policy={policy.version} data-enabled={policy.enabled}>
      <Stack component="form" data-form="card-policy" onSubmit={(event) => {
        event.preventDefault();
        if (account !== '' && rules !== null && !isFixed) set.mutate(rules);
      }}>
        <Switch label={t.storedCards.enabled} disabled={isFixed} checked={isOn} name="enabled" onChange={(event) => setIsOn(event.currentTarget.checked)} />
        <AccountChoice label={t.storedCards.account} hint={t.storedCards.accountHint} value={account} isFixed={isFixed} seesAccounts={isOwn} onChange={setAccount} />
        {CARD_LIMITS.map((name) => (
          <TextInput key={name} name={name} label={isCardSum(name) ? `${t.storedCards.limits[name]} (${currency})` : t.storedCards.limits[name]} inputMode="decimal" required
            disabled={isFixed} value={typed[name]} error={readCardLimit(name, typed[name], currency) === null ? t.storedCards.badLimit : null}
            onChange={({ currentTarget: { value } }) => setTyped({ ...typed, [name]: value })} />
        ))}
        <TextInput name="prefixes" label={t.storedCards.prefixes} description={t.storedCards.prefixesHint} required disabled={isFixed} value={typed.prefixes}
          error={readPrefixes(typed.prefixes) === null ? t.storedCards.badPrefixes : null} onChange={({ currentTarget: { value } }) => setTyped({ ...typed, prefixes: value })} />
        <Checkbox name="stripe" label={t.storedCards.stripe} description={t.storedCards.stripeHint} disabled={isFixed} checked={typed.stripe}
          onChange={({ currentTarget: { checked } }) => setTyped({ ...typed, stripe: checked })} />
        {policy.blocked.length > 0 && (
          <Text size="sm" data-part="blocked" style={{ overflowWrap: 'anywhere' }}>{t.storedCards.blocked} {policy.blocked.map(({ first_6, last_4 }) => `${first_6}…${last_4}`).join(' ')}</Text>
        )}
        <ProblemNote error={set.error} />
        {set.isSuccess && <Text size="sm" data-told role="status">{t.storedCards.told}</Text>}
        {isOwn && <Group><Button type="submit" disabled={account === '' || rules === null} loading={set.isPending} data-action="save-policy">{t.storedCards.save}</Button></Group>}
      </Stack>
    </Card>
  );
}

function Sales({ person }: { person: Person }) {
  const { t } = useText();
  const [only, setOnly] = useState<(typeof ONLY)[number]>('open');
  const [asking, setAsking] = useState<{ payment: string; deed: Deed; again: Intent<Resolved> | null } | null>(null);
  const list = useInfiniteQuery({
    queryKey: [...STORED_CARDS, 'sales', only],
    initialPageParam: '',
    queryFn: ({ pageParam }) =>
      got(api.GET('/v1/stored-cards/sales', { params: { query: { ...(only === 'all' ? {} : { only }), ...(pageParam === '' ? {} : { cursor: pageParam }) } } })),
    getNextPageParam: (page) => page.next_cursor ?? null,
  });
  const sales = list.data?.pages.flatMap(({ items }) => items) ?? [];
  const isOwn = may(person.role, 'reconcile');
  return (
    <Stack data-part="stored-card-sales">
      <Group justify="space-between">
        <Title order={2} size="h4">{t.storedCards.sales}</Title>
        <SegmentedControl aria-label={t.storedCards.sales} size="xs" value={only} onChange={(value) => setOnly(ONLY.find((known) => known === value) ?? 'open')}
          data={ONLY.map((value) => ({ value, label: wordFor(t.storedCards.only, value) }))} />
      </Group>
      <Text c="dimmed" size="sm">{t.storedCards.salesHint}</Text>
      <Unanswered<Resolved> place={RESOLVED} words={({ payment, deed }) => `${t.storedCards[deed]} · ${payment}`} anew={() => null}
        onAgain={(again) => setAsking({ payment: again.said.payment, deed: again.said.deed, again })} />
      <ProblemNote error={list.error} onRetry={() => void list.refetch()} />
      {list.isSuccess && sales.length === 0 && <Text c="dimmed" data-empty>{t.storedCards.none}</Text>}
      {sales.length > 0 && (
        <Paper withBorder>
          <Table.ScrollContainer minWidth={640}>
            <Table verticalSpacing="xs" data-list="stored-card-sales">
              <Table.Thead>
                <Table.Tr>
                  {[t.storedCards.when, t.storedCards.card, t.storedCards.what].map((head) => <Table.Th key={head}>{head}</Table.Th>)}
                  <Table.Th ta="right">{t.storedCards.amount}</Table.Th>
                  <Table.Th />
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {sales.map((sale) => <Sale key={sale.payment} sale={sale} person={person} {...(isOwn ? { onDeed: (deed) => setAsking({ payment: sale.payment, deed, again: null }) } : {})} />)}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        </Paper>
      )}
      <More list={list} />
      {asking !== null && <Resolve payment={asking.payment} deed={asking.deed} first={asking.again} onClose={() => setAsking(null)} />}
    </Stack>
  );
}

/** What a person may do about it now. */
function deedOf({ state, resolution }: StoredCardSale): Deed | null {
  if (state === 'held') return 'forward';
  if (state !== 'lost') return null;
  if (resolution == null) return 'resolve';
  return resolution.unblocks ? null : 'unblock';
}

function Sale({ sale, person, onDeed }: { sale: StoredCardSale; person: Person; onDeed?: (deed: Deed) => void }) {
  const { t } = useText();
  const { card, resolution } = sale;
  const deed = deedOf(sale);
  return (
    <Table.Tr data-stored-card-sale={sale.payment} data-state={sale.state}>
      <Table.Td><When at={sale.sold_at} /></Table.Td>
      <Table.Td>{card.first_6 === '' ? '' : `${card.first_6}…${card.last_4}`}</Table.Td>
      <Table.Td>
        {wordFor(t.storedCards.states, sale.state)} · <Anchor component={Link} to={`/payments/${sale.payment}`} size="sm">{t.storedCards.sale}</Anchor>
        {sale.doubt != null && <Text size="xs" style={{ overflowWrap: 'anywhere' }}>{t.storedCards.doubt}: {sale.doubt}</Text>}
        {resolution != null && (
          <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
            {t.storedCards.resolved}: {resolution.reason} · <Who id={resolution.by} person={person} />{resolution.unblocks ? ` · ${t.storedCards.unblocked}` : ''}
          </Text>
        )}
      </Table.Td>
      <Table.Td ta="right"><Amount money={sale.amount} /></Table.Td>
      <Table.Td ta="right">
        {deed !== null && onDeed !== undefined && (
          <Button size="compact-xs" variant="subtle" data-action={deed} onClick={() => onDeed(deed)}>{t.storedCards[deed]}</Button>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

function Resolve({ payment, deed, first, onClose }: { payment: string; deed: Deed; first: Intent<Resolved> | null; onClose: () => void }) {
  const { t } = useText();
  const isForward = deed === 'forward';
  return (
    <EndingQuestion place={RESOLVED} begins={{ payment, deed, unblock: deed === 'unblock', reason: '' }} first={first} also="unblock" changes={[STORED_CARDS]} onClose={onClose}
      words={{
        title: t.storedCards[deed], text: isForward ? t.storedCards.forwardText : t.storedCards.resolveText, also: deed === 'resolve' ? t.storedCards.letIn : null,
        reason: t.storedCards.reason, keep: t.storedCards.keep, problems: t.storedCards.problems,
      }}
      send={(said, key) => {
        const params = { path: { payment: said.payment }, header: { 'Idempotency-Key': key } };
        return said.deed === 'forward'
          ? got(api.POST('/v1/stored-cards/sales/{payment}/forward', { params, body: { reason: said.reason } }))
          : got(api.POST('/v1/stored-cards/sales/{payment}/resolve', { params, body: { unblock: said.unblock, reason: said.reason } }));
      }} />
  );
}
