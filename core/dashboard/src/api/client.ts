// The typed way to the API: a token on every request, one renewal on 401, problems thrown.

import createClient from 'openapi-fetch';
import { ApiProblem, offline, problemFrom } from './problem';
import type { components, paths } from './schema';
import { bearer, refresh } from './session';

type Schemas = components['schemas'];
export type Payment = Schemas['PaymentView'];
export type PaymentState = Schemas['PaymentState'];
export type Refund = Schemas['RefundView'];
export type Attention = Schemas['Attention'];
export type Settlement = Schemas['SettlementView'];
export type PaymentPage = Schemas['Page_PaymentView'];
export type Terminal = Schemas['TerminalView'];
export type Money = Schemas['Money'];
export type PaymentNews = Schemas['PaymentNews'];
export type Timeline = Schemas['Timeline'];
export type TimelineEvent = Schemas['TimelineEvent'];
export type PostingSet = Schemas['PostingSetView'];
export type Store = Schemas['StoreView'];
export type PeriodBalance = Schemas['PeriodBalance'];
export type Statement = Schemas['Statement'];
export type Batch = Schemas['BatchView'];
export type BatchDetail = Schemas['BatchDetail'];
export type BatchDifference = Schemas['DifferenceView'];
export type Reconciliation = Schemas['ReconciliationView'];
export type AccountDay = Schemas['AccountDay'];
export type Discrepancy = Schemas['DiscrepancyView'];
export type Colleague = Schemas['ColleagueView'];
export type Payout = Schemas['PayoutView'];
export type SettlementBatch = Schemas['SettlementBatchView'];
export type OpenSettlement = Schemas['OpenSettlement'];
export type SettlementTotal = Schemas['SettlementTotal'];
export type SettlementItem = Schemas['SettlementItem'];
export type Cashier = Schemas['CashierView'];
export type TillRole = Schemas['TillRole'];
export type ClaimCode = Schemas['ClaimCode'];
export type WebhookEndpoint = Schemas['WebhookEndpointView'];
export type WebhookEventType = Schemas['WebhookEventType'];
export type WebhookDelivery = Schemas['WebhookDeliveryView'];
export type WebhookDeliveryState = Schemas['WebhookDeliveryState'];
export type PluginPackage = Schemas['PluginPackageView'];
export type PluginPublisher = Schemas['PluginPublisherView'];
export type PluginRollout = Schemas['PluginRolloutView'];
export type StoredValueAccount = Schemas['StoredValueAccountView'];
export type NewStoredValueAccount = Schemas['OpenStoredValueAccount'];
export type StoredValueLimits = Schemas['StoredValueLimits'];
export type StoredValueMovement = Schemas['StoredValueMovementView'];
export type StaticCode = Schemas['StaticCodeView'];
export type NewStaticCode = Schemas['CreateStaticCode'];
export type OfflineGrant = Schemas['OfflineGrantView'];
export type OfflineLimits = Schemas['OfflineLimits'];
export type OfflinePolicy = Schemas['OfflinePolicyView'];
export type DoubleSpend = Schemas['DoubleSpendView'];
export type CardPolicy = Schemas['CardPolicyView'];
export type StoredCardRules = Schemas['StoredCardRules'];
export type StoredCardSale = Schemas['StoredCardSaleView'];
export type HeldEntry = Schemas['HeldEntry'];
export type ApiKey = Schemas['ApiKeyView'];
export type Goods = Schemas['GoodsView'];
export type NewGoods = Schemas['CreateGoods'];
export type ChangedGoods = Schemas['ChangeGoods'];
export type TaxRate = Schemas['TaxRateView'];
export type NewTaxRate = Schemas['CreateTaxRate'];
export type Extension = Schemas['ExtensionView'];
export type MerchantRules = Schemas['MerchantRulesView'];

/** fetch with the token of the moment, and once more with a new one if that was refused. */
export async function authorized(request: Request): Promise<Response> {
  // A request's body can be read once, so the second attempt needs a copy from before the first.
  const again = request.clone();
  const response = await send(request);
  if (response.status !== 401 || !(await refresh())) return response;
  return send(again);
}

async function send(request: Request): Promise<Response> {
  const authorization = bearer();
  if (authorization !== null) request.headers.set('authorization', authorization);
  try {
    return await fetch(request);
  } catch (error) {
    if (request.signal.aborted) throw error;
    throw offline();
  }
}

export const api = createClient<paths>({ baseUrl: location.origin, fetch: authorized });

/** What a call gave, or the problem thrown. */
export async function got<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await call;
  if (error !== undefined || !response.ok) throw problemFrom(response.status, error);
  return data as T;
}

/** Whether asking again might help: no connection, or the server's own trouble. */
export function isPassing(error: unknown): boolean {
  return error instanceof ApiProblem && (error.status === 0 || error.status >= 500 || error.status === 429);
}
