// One sale: its row in a list, and the screen that shows where it stands and what may be done with it.

import type { Sale } from './api';
import { clock, useModel, useNow, useText } from './hooks';
import { whyFailed } from './plain-words';
import { SoldPrice } from './quote-lines';
import type { Texts } from './text';
import { ELSEWHERE } from './text-elsewhere';
import { Key, useShown } from './till';

/** How it looks: money is here, is not, or nobody knows yet. */
function tone(sale: Sale): string {
  if (sale.paid) return 'good';
  if (isForwarded(sale)) return 'open';
  if (sale.state === 'unknown') return 'unsure';
  return sale.settled ? 'over' : 'open';
}

/** It was sold by card without a network, and the bank has not answered. */
const isForwarded = (sale: Sale): boolean => sale.method === 'stored' && ['created', 'submitting', 'pending', 'unknown'].includes(sale.state);
const isDeclined = (sale: Sale): boolean => sale.method === 'stored' && ['failed', 'reversed', 'expired', 'cancelled'].includes(sale.state);

/** A code of it is on show: core’s, or one that the customer’s phone carries there. */
const isOnShow = (sale: Sale): boolean => sale.state === 'presenting' || sale.phone === true;

function stateWords(t: Texts, sale: Sale): string {
  if (sale.phone === true) return sale.cancelling ? t.cancelling : t.offline.phone.state;
  if (sale.awaits_office === true) return t.card.stored.office;
  return isForwarded(sale) ? t.card.stored.sold : isDeclined(sale) ? t.card.stored.declined : t.states[sale.state];
}

function hintOf(t: Texts, sale: Sale): string | undefined {
  const { officeHint, hint, declinedHint, pressSeen } = t.card.stored;
  const seen = sale.actions.includes('acknowledge') ? ` ${pressSeen}` : '';
  if (sale.phone === true) return sale.cancelling ? t.offline.phone.cancelling : t.offline.phone.hint;
  if (sale.awaits_office === true) return officeHint + seen;
  return isForwarded(sale) ? hint : isDeclined(sale) ? declinedHint + seen : t.stateHints[sale.state];
}

export function SaleRow({ sale, chosen }: { sale: Sale; chosen?: boolean }) {
  const t = useText();
  return (
    <li class={chosen === true ? 'chosen' : ''}>
      <Key what={{ kind: 'pick', payment: sale.payment }} id={`pick-${sale.counter}`} class={tone(sale)}>
        <span>#{sale.counter}</span>
        <time>{clock(sale.keyed_at)}</time>
        <strong>{sale.amount}</strong>
        <span>{sale.reference !== undefined && <small class="reference">{sale.reference}</small>} {stateWords(t, sale)}</span>
        {sale.by_core === true && <small data-by-core>{t.byCore}</small>}
        {sale.time_lost === true && <small data-time-lost>{t.timeLost}</small>}
        {!sale.synced && <small>{t.notSynced}</small>}
      </Key>
    </li>
  );
}

const ACTION_KEYS = { query: 'F4', confirm: 'End', cancel: 'Del', void: 'F3', refund: 'F5', reprint: 'F6', acknowledge: 'Ins' } as const;

export function SaleScreen({ payment }: { payment: string }) {
  const { sales, code, busy, language } = useModel();
  const t = useText();
  const show = useShown();
  const sale = sales.find((one) => one.payment === payment);
  if (sale === undefined) return <p class="big pulse">{t.working}</p>;
  const busyHere = busy.some((path) => path.includes(`/sales/${payment}/`));
  const elsewhere = sale.elsewhere === true ? ELSEWHERE[language] : undefined;
  const hint = elsewhere === undefined ? hintOf(t, sale) : sale.actions.includes('refund') ? elsewhere.hint : elsewhere.nothing;
  return (
    <div class="two sale" data-payment={sale.payment} data-state={sale.state}>
      <section>
        <p class={`state ${tone(sale)}`} role="status">{stateWords(t, sale)}</p>
        <p class="paid">{sale.amount} <small>{sale.currency} · {elsewhere !== undefined && <span data-elsewhere>{elsewhere.mark} </span>}#{sale.counter} · {t.paidBy[sale.method]}</small></p>
        {sale.quote !== undefined && <SoldPrice quote={sale.quote} />}
        {sale.card !== undefined && <p data-card>{sale.card.masked} <small>{sale.card.label}</small></p>}
        {sale.split !== undefined && (
          <p data-part={sale.split.part}>{t.split.title} #{sale.split.number} · {t.split.total} <strong>{show(sale.split.total_minor)}</strong></p>
        )}
        {sale.reference !== undefined && <p data-reference>{t.held.reference} <strong>{sale.reference}</strong></p>}
        {sale.change_minor !== undefined && sale.change_minor > 0 && (
          <p class="change">{t.change} <strong>{show(sale.change_minor)}</strong></p>
        )}
        {sale.failure !== undefined && <p class="why">{whyFailed(t, sale.failure)}</p>}
        {hint !== undefined && <p>{hint}</p>}
        {isOnShow(sale) && code?.payment === payment && !sale.cancelling && (
          <img class="code" alt={t.functions.code} src={`data:image/svg+xml,${encodeURIComponent(code.svg)}`} />
        )}
        {isOnShow(sale) && sale.expires_at !== undefined && <Countdown until={sale.expires_at} />}
        {sale.refunded_minor > 0 && <p>{t.refunded} {show(sale.refunded_minor)}</p>}
        {sale.refunds.filter(({ approved_by }) => approved_by !== undefined).map((refund) => (
          <p key={`${refund.refund}-by`} data-approved>{show(refund.amount_minor)} · {t.supervisor.approved} <strong>{refund.approved_by}</strong></p>
        ))}
        {sale.refunds.filter(({ state }) => state !== 'succeeded').map((refund) => (
          <p key={refund.refund}>
            {show(refund.amount_minor)} {refund.state === 'failed' ? t.refundFailed : t.refundUnderWay}
            {refund.failure !== undefined && `: ${whyFailed(t, refund.failure)}`}
          </p>
        ))}
        <p class="marks">
          {sale.cancelling && <span>{t.cancelling}</span>}
          {sale.paid_late && <span>{t.paidLate}</span>}
          {sale.by_core === true && <span data-by-core>{t.byCore} {clock(sale.keyed_at)}</span>}
          {sale.time_lost === true && <span data-time-lost>{t.timeLost}</span>}
          {!sale.synced && <span>{t.notSynced}</span>}
          {sale.receipt === 'queued' && <span>{t.receipts.queued}</span>}
          {sale.receipt === 'failed' && <span>{t.receipts.failed}</span>}
          {busyHere && <span class="pulse">{t.working}</span>}
        </p>
      </section>
      <div class="actions">
        {sale.actions.map((action) => (
          <Key key={action} what={{ kind: 'function', key: action }} id={`action-${action}`}>
            <kbd>{ACTION_KEYS[action]}</kbd>{t.actions[action]}
          </Key>
        ))}
        {sale.split !== undefined && (
          <Key what={{ kind: 'split', number: sale.split.number }} id="whole">{t.split.title} #{sale.split.number}</Key>
        )}
        <Key what={{ kind: 'enter' }} class="main" id="next"><kbd>Enter</kbd>{t.next}</Key>
      </div>
    </div>
  );
}

function Countdown({ until }: { until: number }) {
  const seconds = Math.max(0, Math.ceil((until - useNow()) / 1_000));
  return <p class="countdown">{Math.floor(seconds / 60)}:{String(seconds % 60).padStart(2, '0')}</p>;
}
