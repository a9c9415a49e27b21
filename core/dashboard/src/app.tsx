// What surrounds every room: theme, texts, the cache of answers, and who is signed in.

import { Button, Center, type CSSVariablesResolver, createTheme, Loader, MantineProvider, Stack, Text } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { useEffect, useState, useSyncExternalStore } from 'react';
import { BrowserRouter, Navigate, Route, Routes } from 'react-router';
import { isPassing } from './api/client';
import { onSession, resume, sessionState } from './api/session';
import { Crash } from './parts/crash';
import { homeOf, may } from './rights';
import { BatchesRoom, BatchRoom } from './rooms/batches';
import { LooseDayRoom } from './rooms/loose-days';
import { BooksRoom } from './rooms/books';
import { CashiersRoom } from './rooms/cashiers';
import { DiscrepanciesRoom } from './rooms/discrepancies';
import { DiscrepancyRoom } from './rooms/discrepancy';
import { GoodsFrame, GoodsRoom } from './rooms/goods';
import { GoodsImportRoom } from './rooms/goods-import';
import { PaymentRoom } from './rooms/payment';
import { PaymentsRoom } from './rooms/payments';
import { PayoutsRoom } from './rooms/payouts';
import { PluginRoom } from './rooms/plugin';
import { PackageRoom } from './rooms/plugin-package';
import { PublishersRoom } from './rooms/plugin-publishers';
import { PluginsFrame, PluginsRoom } from './rooms/plugins';
import { ReconciliationFrame, ReconciliationRoom } from './rooms/reconciliation';
import { RulesRoom } from './rooms/rules';
import { SettlementBatchesRoom } from './rooms/settlement-batches';
import { SettlementStatementRoom } from './rooms/settlement-statement';
import { ChoosePassword, SignIn } from './rooms/sign-in';
import { StaticCodesRoom } from './rooms/static-codes';
import { StatementRoom } from './rooms/statement';
import { StoredValueAccountRoom } from './rooms/stored-value-account';
import { StoredCardsRoom } from './rooms/stored-cards';
import { OfflineRoom } from './rooms/stored-value-offline';
import { AcceptorsRoom } from './rooms/stored-value-acceptors';
import { StoredValueFrame, StoredValueRoom } from './rooms/stored-value';
import { TaxRatesRoom } from './rooms/tax-rates';
import { TerminalHeldRoom } from './rooms/terminal-held';
import { TerminalsRoom } from './rooms/terminals';
import { WebhookRoom } from './rooms/webhook';
import { WebhooksRoom } from './rooms/webhooks';
import { Shell } from './shell';
import { TextProvider, useText } from './text/text';

/** Questions that failed of a passing trouble are asked again this often; wishes (POST) never by themselves. */
const RETRIES_MAX = 3;

const queryClient = new QueryClient({
  defaultOptions: {
    queries: { retry: (count, error) => count < RETRIES_MAX && isPassing(error), staleTime: 30_000 },
    // Never paused while the browser is offline and sent when somebody has gone another way: pressed without a line, it fails at once.
    mutations: { retry: false, networkMode: 'always' },
  },
});

const theme = createTheme({
  primaryColor: 'teal',
  primaryShade: 9,
  defaultRadius: 'md',
  fontFamily: 'system-ui, "PingFang SC", "Noto Sans SC", "Noto Sans CJK SC", "Microsoft YaHei", sans-serif',
});

/** Text as WCAG 2 asks for it: at least 4.5 to 1 against what is behind it. The kit's own is paler. */
const TINTS = ['teal', 'green', 'red', 'orange', 'yellow', 'blue', 'gray', 'grape'];
const readable: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-dimmed': 'var(--mantine-color-gray-7)',
    '--mantine-color-error': 'var(--mantine-color-red-9)',
    ...Object.fromEntries(TINTS.map((tint) => [`--mantine-color-${tint}-light-color`, `color-mix(in srgb, var(--mantine-color-${tint}-9) 70%, black)`])),
  },
  dark: {
    '--mantine-color-dimmed': 'var(--mantine-color-dark-1)',
    ...Object.fromEntries(TINTS.map((tint) => [`--mantine-color-${tint}-light-color`, `var(--mantine-color-${tint}-2)`])),
  },
});

export function App() {
  return (
    <MantineProvider theme={theme} cssVariablesResolver={readable} defaultColorScheme="auto">
      <TextProvider>
        <Crash>
          <QueryClientProvider client={queryClient}>
            <BrowserRouter>
              <Door />
            </BrowserRouter>
          </QueryClientProvider>
        </Crash>
      </TextProvider>
    </MantineProvider>
  );
}

/** Who may come in where. */
function Door() {
  const session = useSyncExternalStore(onSession, sessionState);
  useEffect(() => {
    // Nothing of one person's may be seen by the next.
    if (session.kind === 'signed-out') queryClient.clear();
  }, [session.kind]);
  switch (session.kind) {
    case 'starting':
      return <Starting />;
    case 'signed-out':
      return <SignIn unfinished={session.unfinished === true} />;
    case 'must-change':
      return <ChoosePassword person={session.person} />;
    case 'signed-in': {
      const { role } = session.person;
      const home = homeOf(role);
      return (
        <Shell person={session.person} tenant={session.tenant}>
          <Routes>
            <Route path="/" element={home === null ? null : <Navigate to={home} replace />} />
            {may(role, 'read_payments') ? (
              <>
                <Route path="/payments" element={<PaymentsRoom />} />
                <Route path="/payments/:payment" element={<PaymentRoom person={session.person} />} />
                <Route path="/terminals" element={<TerminalsRoom role={role} currency={session.tenant?.currency ?? ''} />} />
              </>
            ) : <Route path="/payments" element={<Navigate to="/" replace />} />}
            {may(role, 'read_payments') && <Route path="/static-codes" element={<StaticCodesRoom role={role} currency={session.tenant?.currency ?? ''} />} />}
            {may(role, 'read_payments') && (
              <Route path="/goods" element={<GoodsFrame role={role} />}>
                <Route index element={<GoodsRoom role={role} currency={session.tenant?.currency ?? ''} />} />
                <Route path="taxes" element={<TaxRatesRoom role={role} />} />
                {may(role, 'manage_goods') && <Route path="import" element={<GoodsImportRoom currency={session.tenant?.currency ?? ''} />} />}
              </Route>
            )}
            {may(role, 'manage_cashiers') && <Route path="/cashiers" element={<CashiersRoom />} />}
            {may(role, 'read_books') && (
              <>
                <Route path="/batches" element={<BatchesRoom />} />
                <Route path="/batches/:batch" element={<BatchRoom />} />
                <Route path="/terminals/:terminal/held" element={<TerminalHeldRoom role={role} />} />
                <Route path="/terminals/:terminal/days/:day" element={<LooseDayRoom />} />
                <Route path="/reconciliation" element={<ReconciliationFrame />}>
                  <Route index element={<ReconciliationRoom role={role} />} />
                  <Route path="discrepancies" element={<DiscrepanciesRoom />} />
                  <Route path="discrepancies/:discrepancy" element={<DiscrepancyRoom person={session.person} />} />
                  <Route path="payouts" element={<PayoutsRoom role={role} currency={session.tenant?.currency ?? ''} />} />
                  <Route path="settlement-batches" element={<SettlementBatchesRoom role={role} />} />
                  <Route path="stored-cards" element={<StoredCardsRoom person={session.person} currency={session.tenant?.currency ?? ''} />} />
                  <Route path="statements" element={<SettlementStatementRoom />} />
                </Route>
                <Route path="/books" element={<BooksRoom />} />
                <Route path="/books/:account" element={<StatementRoom />} />
              </>
            )}
            {may(role, 'read_stored_value') && (
              <Route path="/stored-value" element={<StoredValueFrame role={role} />}>
                <Route index element={<StoredValueRoom role={role} currency={session.tenant?.currency ?? ''} />} />
                <Route path="accounts/:account" element={<StoredValueAccountRoom person={session.person} />} />
                <Route path="offline" element={<OfflineRoom person={session.person} currency={session.tenant?.currency ?? ''} />} />
                {may(role, 'manage_people') && <Route path="acceptors" element={<AcceptorsRoom />} />}
              </Route>
            )}
            {may(role, 'manage_channels') && <Route path="/rules" element={<RulesRoom currency={session.tenant?.currency ?? ''} />} />}
            {role === 'owner' && <Route path="/webhooks" element={<WebhooksRoom />} />}
            {role === 'owner' && <Route path="/webhooks/:endpoint" element={<WebhookRoom />} />}
            {may(role, 'publish_plugins') && (
              <Route path="/plugins" element={<PluginsFrame role={role} />}>
                <Route index element={<PluginsRoom person={session.person} />} />
                <Route path="packages/:package" element={<PackageRoom person={session.person} />} />
                {may(role, 'manage_plugins') && (
                  <>
                    <Route path="in-use/:plugin" element={<PluginRoom person={session.person} />} />
                    <Route path="publishers" element={<PublishersRoom person={session.person} />} />
                  </>
                )}
              </Route>
            )}
            <Route path="*" element={<NotFound />} />
          </Routes>
        </Shell>
      );
    }
  }
}

function Starting() {
  const { t } = useText();
  const [reached, setReached] = useState(true);
  const start = (): void => {
    setReached(true);
    void resume().then(setReached);
  };
  useEffect(start, []);
  return (
    <Center h="100vh">
      {reached ? (
        <Loader aria-label={t.common.loading} />
      ) : (
        <Stack align="center">
          <Text fw={600}>{t.problem.offlineTitle}</Text>
          <Button onClick={start}>{t.common.retry}</Button>
        </Stack>
      )}
    </Center>
  );
}

function NotFound() {
  const { t } = useText();
  return (
    <Stack align="center" mt="xl">
      <Text fw={600}>{t.problem.notFoundTitle}</Text>
      <Text c="dimmed">{t.problem.notFoundDetail}</Text>
    </Stack>
  );
}
