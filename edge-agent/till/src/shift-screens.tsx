// The screens of the shift: signing on, cash paid in and out, the count, and the report once the drawer was counted.

import type { Line, MethodTotals } from './api';
import { minorOf } from './amount';
import { clock, useModel, useText } from './hooks';
import { HeldRow } from './held-screens';
import { SaleRow } from './sale';
import type { ShiftScreen } from './shift';
import { PinLine } from './supervisor-screens';
import { Key, Keypad, Sum, useShown } from './till';

export function ShiftRoom({ screen }: { screen: ShiftScreen }) {
  switch (screen.kind) {
    case 'shift':
      return <Menu open={screen.open} />;
    case 'sign-on':
      return <SignOn screen={screen} />;
    case 'drawer':
      return <Drawer screen={screen} />;
    case 'count':
      return <Count screen={screen} />;
    case 'report':
      return <Report />;
  }
}

function Menu({ open }: { open: number | null }) {
  const shift = useModel().state?.shift ?? null;
  const t = useText().shift;
  const keys = open === null ? [t.signOn, t.reprint] : [t.close, t.paidIn, t.paidOut, t.reprint];
  return (
    <div class="one">
      <p class="big" data-shift={shift === null ? 'none' : shift.batch}>
        {shift === null ? t.none : `${t.batch} ${shift.batch} · ${shift.cashier} · ${clock(shift.opened_at)}`}
      </p>
      <div class="choices">
        {keys.map((words, idx) => (
          <Key key={words} what={{ kind: 'digits', digits: String(idx + 1) }} id={`shift-${idx + 1}`} class="main">
            <kbd>{idx + 1}</kbd>{words}
          </Key>
        ))}
      </div>
      <Key what={{ kind: 'escape' }} class="quiet"><kbd>Esc</kbd>{useText().back}</Key>
    </div>
  );
}

function SignOn({ screen: { asks, number, keyed } }: { screen: Extract<ShiftScreen, { kind: 'sign-on' }> }) {
  const { state } = useModel();
  const t = useText();
  const show = useShown();
  const hints = { number: t.shift.numberHint, pin: t.pin.hint, float: t.shift.floatHint };
  return (
    <div class="two" data-asks={asks}>
      <section>
        <h2>{t.shift.signOn}</h2>
        {asks === 'number' && <p class="filter">{t.shift.number} <output>{keyed === '' ? (state?.cashier ?? '…') : keyed}</output></p>}
        {asks === 'pin' && <p class="filter">{t.shift.number} <output>{number}</output></p>}
        {asks === 'pin' && <PinLine keyed={keyed} />}
        {asks === 'float' && <Sum label={`${number === '' ? (state?.cashier ?? '') : number} · ${t.shift.float}`} text={show(minorOf(keyed))} />}
        <p>{hints[asks]}</p>
      </section>
      <Keypad enter={t.enter} />
    </div>
  );
}

/** Who stands there: a number that is keyed, or whoever signed on. */
function By({ by }: { by: string }) {
  const { state } = useModel();
  const t = useText();
  return <p class="filter">{t.shift.by} <output data-by>{by === '' ? (state?.shift?.cashier ?? '') : by}</output></p>;
}

function Drawer({ screen }: { screen: Extract<ShiftScreen, { kind: 'drawer' }> }) {
  const t = useText();
  const show = useShown();
  const title = screen.way === 'in' ? t.shift.paidIn : t.shift.paidOut;
  if (screen.minor === null) {
    return (
      <div class="two">
        <section><Sum label={title} text={show(minorOf(screen.keyed))} /></section>
        <Keypad enter={t.enter} />
      </div>
    );
  }
  if (screen.reason !== null) {
    return (
      <div class="two">
        <section>
          <Sum label={title} text={show(screen.minor)} />
          <p>{screen.reason}</p>
          <By by={screen.by} />
          {screen.pin === undefined ? <p>{t.shift.byHint}</p> : <PinLine keyed={screen.pin} />}
        </section>
        <Keypad enter={t.enter} />
      </div>
    );
  }
  return (
    <div class="one">
      <Sum label={title} text={show(screen.minor)} />
      <p class="big">{t.shift.why}</p>
      <div class="choices">
        {t.shift.reasons.map((words, idx) => (
          <Key key={words} what={{ kind: 'digits', digits: String(idx + 1) }} id={`reason-${idx + 1}`}>
            <kbd>{idx + 1}</kbd>{words}
          </Key>
        ))}
      </div>
      <Key what={{ kind: 'escape' }} class="quiet"><kbd>Esc</kbd>{t.back}</Key>
    </div>
  );
}

function Count({ screen }: { screen: Extract<ShiftScreen, { kind: 'count' }> }) {
  const { sales, state } = useModel();
  const t = useText();
  const show = useShown();
  const { keyed, sure, by, doubt, held } = screen;
  if (sure) {
    return (
      <div class="two">
        <section>
          <Sum label={t.shift.counted} text={show(minorOf(keyed))} class="counted" />
          <By by={by} />
          {screen.pin === undefined ? <p>{t.shift.byHint}</p> : <PinLine keyed={screen.pin} />}
          {doubt && (
            <ul class="sales" data-doubt>
              {sales.filter((sale) => !sale.settled).map((sale) => <SaleRow key={sale.payment} sale={sale} />)}
            </ul>
          )}
          {held !== undefined && (
            <ul class="sales held" data-held>
              {(state?.held ?? []).filter(({ number }) => held.includes(number)).map((one) => <HeldRow key={one.number} held={one} />)}
            </ul>
          )}
          {held !== undefined && <p class="big">{t.held.closeSure}</p>}
          <p class="big">{doubt ? t.shift.doubtSure : t.shift.closeSure}</p>
        </section>
        <Keypad enter={t.yes} />
      </div>
    );
  }
  return (
    <div class="two">
      <section>
        <Sum label={t.shift.counted} text={keyed === '' ? '…' : show(minorOf(keyed))} class="counted" />
        <p>{t.shift.countHint}</p>
      </section>
      <Keypad enter={t.enter} />
    </div>
  );
}

function Report() {
  const { shift } = useModel();
  const t = useText();
  const show = useShown();
  const closed = shift?.closed;
  if (shift === null || closed === undefined) return <div class="one"><p class="big">{t.working}</p></div>;
  const rows: [string, MethodTotals][] = [
    [t.methods.cash, closed.totals.cash],
    [t.paidBy.code, closed.totals.merchant_presented],
    [t.paidBy.scan, closed.totals.customer_presented],
    ...(closed.totals.offline === undefined ? [] : [[t.paidBy.offline, closed.totals.offline] satisfies [string, MethodTotals]]),
    ...(closed.totals.card === undefined ? [] : [[t.paidBy.card, closed.totals.card] satisfies [string, MethodTotals]]),
    ...(closed.totals.stored === undefined ? [] : [[t.paidBy.stored, closed.totals.stored] satisfies [string, MethodTotals]]),
  ];
  const line = ({ count, minor }: Line) => `${count} × ${show(minor)}`;
  const difference = closed.over_short_minor;
  return (
    <div class="two">
      <section data-batch={shift.batch} data-difference={difference}>
        <h2>{t.shift.batch} {shift.batch} · {shift.cashier}</h2>
        <div class="report">
          <span /><small>{t.functions.sale}</small><small>{t.functions.refund}</small><small>{t.functions.void}</small>
          {rows.map(([name, totals]) => [
            <span key={name}>{name}</span>,
            <span key={`${name}-s`}>{line(totals.sales)}</span>,
            <span key={`${name}-r`}>{line(totals.refunds)}</span>,
            <span key={`${name}-v`}>{line(totals.voids)}</span>,
          ])}
        </div>
        <p>{t.shift.float} {show(shift.float_minor)} · {t.shift.paidIn} {line(closed.totals.paid_in)} · {t.shift.paidOut} {line(closed.totals.paid_out)}</p>
        {closed.totals.under_way.count > 0 && <p>{t.shift.underWay} {line(closed.totals.under_way)}</p>}
        {closed.in_doubt.map(({ counter, amount_minor }) => <p key={counter}>{t.shift.inDoubt} #{counter} {show(amount_minor)}</p>)}
        {closed.totals.elsewhere.count > 0 && <p>{t.shift.elsewhere} {line(closed.totals.elsewhere)}</p>}
        {closed.totals.declined !== undefined && closed.totals.declined.count > 0 && <p>{t.shift.declined} {line(closed.totals.declined)}</p>}
      </section>
      <section>
        <Sum label={t.shift.expected} text={show(closed.expected_minor)} class="expected" />
        <Sum label={t.shift.counted} text={show(closed.counted_minor)} class="counted" />
        <Sum
          label={difference === 0 ? t.shift.balanced : difference > 0 ? t.shift.over : t.shift.short}
          text={show(difference)}
          class="difference"
        />
        {closed.report === 'failed' && <p class="big">{t.receipts.failed}</p>}
        <Key what={{ kind: 'enter' }} class="main"><kbd>Enter</kbd>{t.next}</Key>
      </section>
    </div>
  );
}
