// The till's page: bar, notice, the screen at hand, the function keys.

import type { ComponentChildren } from 'preact';
import { likelyTendered, minorOf, shown } from './amount';
import { Bar } from './bar';
import { BasketRoom, BasketRow } from './basket-screens';
import { CardScreen } from './card-screens';
import { DeviceRoom } from './device-screens';
import { useModel, useText } from './hooks';
import type { Order } from './held';
import { HeldRoom } from './held-screens';
import { InfoScreen } from './info';
import { isAlone } from './intent';
import { FUNCTION_KEYS } from './keyboard';
import { PairedRoom } from './paired-screens';
import { LettersRoom } from './phone-screens';
import { plainWords } from './plain-words';
import { Price } from './quote-lines';
import { ReceivedKey, ReceivedRoom } from './received-screens';
import { SaleRow, SaleScreen } from './sale';
import { candidates, leftMinor, type Press, type Screen } from './screen';
import { ShiftRoom } from './shift-screens';
import { SplitRoom, SplitRows } from './split-screens';
import { SupervisorRoom } from './supervisor-screens';
import type { Notice as NoticeKind } from './notice';
import { press } from './store';
import { fill, TEXTS } from './text';
import { withoutCore } from './without-core';

export function Till() {
  const { screen, busy, silent, state } = useModel();
  const t = useText();
  return (
    <div class={(state?.training ?? null) === null ? 'till' : 'till training'} data-screen={screen.kind}>
      <Bar />
      <Notice />
      <main>{roomOf(screen)}</main>
      <FunctionKeys />
      {busy.some(isAlone) && (
        <div class="veil" role="alert">
          <p>{silent ? t.silence : t.working}</p>
        </div>
      )}
    </div>
  );
}

function roomOf(screen: Screen) {
  switch (screen.kind) {
    case 'home':
      return <HomeScreen keyed={screen.keyed} order={screen.order} />;
    case 'method':
      return <MethodScreen minor={screen.minor} order={screen.order} />;
    case 'cash':
      return <CashScreen minor={screen.minor} keyed={screen.keyed} order={screen.order} />;
    case 'scan':
      return <ScanScreen minor={screen.minor} keyed={screen.keyed} />;
    case 'card':
      return <CardScreen minor={screen.minor} />;
    case 'find':
      return <FindScreen screen={screen} />;
    case 'sale':
      return <SaleScreen payment={screen.payment} />;
    case 'confirm':
      return <ConfirmScreen screen={screen} />;
    case 'refund':
      return <RefundScreen screen={screen} />;
    case 'reference':
    case 'held':
    case 'drop':
      return <HeldRoom screen={screen} />;
    case 'basket':
    case 'basket-clear':
    case 'weigh':
      return <BasketRoom screen={screen} />;
    case 'split':
    case 'split-back':
      return <SplitRoom screen={screen} />;
    case 'shift':
    case 'sign-on':
    case 'drawer':
    case 'count':
    case 'report':
      return <ShiftRoom screen={screen} />;
    case 'supervisor':
      return <SupervisorRoom screen={screen} />;
    case 'letters':
      return <LettersRoom screen={screen} />;
    case 'devices':
    case 'device':
    case 'device-form':
      return <DeviceRoom screen={screen} />;
    case 'paired':
    case 'pair-name':
    case 'pair-code':
    case 'revoke':
      return <PairedRoom screen={screen} />;
    case 'training':
      return <TrainingScreen on={screen.on} />;
    case 'received':
      return <ReceivedRoom />;
    case 'info':
      return <InfoScreen />;
  }
}

export function useShown(): (minor: number) => string {
  const digits = useModel().state?.minor_digits ?? 2;
  return (minor) => shown(minor, digits);
}

export function Key({ what, class: name, children, id }: {
  what: Press; class?: string; id?: string | undefined; children: ComponentChildren;
}) {
  return (
    <button
      type="button"
      class={name ?? ''}
      data-key={id ?? what.kind}
      onClick={() => press(what, 'tap')}
    >
      {children}
    </button>
  );
}

function Notice() {
  const { notice, silent, busy } = useModel();
  const t = useText();
  if (notice === null) {
    if (silent && busy.length > 0) return <p class="notice wait" role="alert">{t.silence}</p>;
    return null;
  }
  const isGood =
    notice.kind === 'saw' || notice.kind === 'paired' || (notice.kind === 'books' && notice.agree === true)
    || (notice.kind === 'restarted' && notice.health === 'ok') || (notice.kind === 'searched' && notice.found > 0) || (notice.kind === 'syncing' && !notice.offline) || (notice.kind === 'configured' && notice.hanging.length === 0);
  return (
    <p class={isGood ? 'notice good' : 'notice'} role="alert" data-notice={codeOf(notice)}>
      {wordsOf(notice, t)}
      {ownWords(notice, t) !== '' && <small>{ownWords(notice, t)}</small>}
    </p>
  );
}

function codeOf(notice: NoticeKind): string {
  if (notice.kind === 'problem') return notice.problem.code;
  return notice.kind === 'hint' ? notice.hint : notice.kind;
}

function wordsOf(notice: NoticeKind, t: (typeof TEXTS)['zh']): string {
  switch (notice.kind) {
    case 'hint':
      return t.hints[notice.hint];
    case 'problem':
      return plainWords(t, notice.problem);
    case 'receipt':
      return t.receiptFailed + (notice.trouble === null ? notice.why : t.devices.troubles[notice.trouble]);
    case 'scan':
      return t.scanUnexpected;
    case 'scan-over':
      return t.scanOver;
    case 'card-over':
      return t.card.over;
    case 'saw':
      return t.selfTested[notice.of] ?? notice.words;
    case 'paired':
      return fill(t.paired.done, notice.name);
    case 'restarted':
      return `${t.devices.restarted}: ${t.peripheralKinds[notice.of] ?? notice.of} · ${t.devices.states[notice.health]}`;
    case 'syncing':
      return notice.offline ? t.syncsLater : t.syncsNow;
    case 'searched':
      return fill(t.devices.searched, String(notice.found));
    case 'configured': {
      const names = (kinds: string[]): string => kinds.map((kind) => t.peripheralKinds[kind] ?? kind).join(', ');
      if (notice.hanging.length > 0) return fill(t.devices.hanging, names(notice.hanging));
      return notice.applied.length === 0 ? t.devices.unchanged : fill(t.devices.applied, names(notice.applied));
    }
    case 'unweighed':
      return fill(t.basket.unweighed, notice.names);
    case 'books':
      return notice.agree === null ? t.booksUnknown : notice.agree ? t.booksAgree : t.booksDisagree;
  }
}

/** What the agent, or a device, says itself, where the page has other words for it. */
function ownWords(notice: NoticeKind, t: (typeof TEXTS)['zh']): string {
  if (notice.kind === 'receipt') return notice.trouble === null ? '' : notice.why;
  return notice.kind === 'saw' && t.selfTested[notice.of] !== undefined ? notice.words : '';
}

export function Keypad({ enter }: { enter: string }) {
  const t = useText();
  return (
    <div class="keypad">
      {['7', '8', '9', '4', '5', '6', '1', '2', '3', '0', '00'].map((digits) => (
        <Key key={digits} what={{ kind: 'digits', digits }} id={`digit-${digits}`}>{digits}</Key>
      ))}
      <Key what={{ kind: 'back' }} class="quiet">⌫</Key>
      <Key what={{ kind: 'escape' }} class="quiet">{t.clear}</Key>
      <Key what={{ kind: 'enter' }} class="main">{enter}</Key>
    </div>
  );
}

/** What ends a question. */
export function YesOrNo({ id, harmless }: { id?: string | undefined; harmless?: boolean }) {
  const t = useText();
  return (
    <div class="choices">
      <Key what={{ kind: 'escape' }} class="quiet"><kbd>Esc</kbd>{t.no}</Key>
      <Key what={{ kind: 'enter' }} id={id} class={harmless ? 'main' : 'danger'}><kbd>Enter</kbd>{t.yes}</Key>
    </div>
  );
}

export function Sum({ label, text, class: name }: { label: string; text: string; class?: string }) {
  const currency = useModel().state?.currency ?? '';
  return (
    <div class={`sum ${name ?? ''}`}>
      <span>{label} <small>{currency}</small></span>
      <output data-sum={name ?? 'amount'} style={{ fontSize: text.length > 9 ? '2.4rem' : undefined }}>{text}</output>
    </div>
  );
}

/** What goes with the amount that is keyed. */
function OrderLine({ order }: { order: Order | undefined }) {
  const t = useText();
  if (order === undefined) return null;
  return <p class="marks" data-order>{order.held !== null && <span>{t.held.taken} {order.held}</span>}{order.reference !== '' && <span>{order.reference}</span>}</p>;
}

function HomeScreen({ keyed, order }: { keyed: string; order: Order | undefined }) {
  // What another till sold is looked at, and is none of this one's.
  const sales = useModel().sales.filter(({ elsewhere }) => elsewhere !== true);
  const t = useText();
  const show = useShown();
  return (
    <div class="two">
      <section>
        <Sum label={t.amount} text={show(minorOf(keyed))} />
        <OrderLine order={order} />
        {keyed === '' && <BasketRow />}
        {keyed === '' && <SplitRows />}
        <h2 class="with-key">{t.recent}<ReceivedKey /></h2>
        <ul class="sales">
          {sales.length === 0 && <li class="none">{t.noSales}</li>}
          {sales.slice(0, 20).map((sale) => <SaleRow key={sale.payment} sale={sale} />)}
        </ul>
      </section>
      <Keypad enter={t.functions.sale} />
    </div>
  );
}

function MethodScreen({ minor, order }: { minor: number; order: Order | undefined }) {
  const t = useText();
  const show = useShown();
  return (
    <div class="one">
      <Sum label={t.chooseMethod} text={show(minor)} />
      <Price order={order} />
      <OrderLine order={order} />
      <div class="choices">
        {([['1', 'cash'], ['2', 'scan'], ['3', 'code'], ['6', 'card']] as const).map(([key, method]) => (
          <Key key={method} what={{ kind: 'method', method }} id={`method-${method}`} class="main">
            <kbd>{key}</kbd>{t.methods[method]}
          </Key>
        ))}
      </div>
      <WithoutCore />
      {order?.split === undefined && (
        <div class="notes">
          <Key what={{ kind: 'digits', digits: '4' }} id="reference" class="quiet"><kbd>4</kbd>{t.held.reference}</Key>
          <Key what={{ kind: 'digits', digits: '5' }} id="split" class="quiet"><kbd>5</kbd>{t.split.title}</Key>
        </div>
      )}
      <Key what={{ kind: 'escape' }} class="quiet"><kbd>Esc</kbd>{t.back}</Key>
    </div>
  );
}

/** What can be taken while core is away. */
function WithoutCore() {
  const { state } = useModel();
  const t = useText();
  if (state === null || (state.training ?? null) !== null) return null;
  const words = withoutCore(t, state);
  return words === null ? null : <p class="why" data-without-core>{words}</p>;
}

function CashScreen({ minor, keyed, order }: { minor: number; keyed: string; order: Order | undefined }) {
  const { state } = useModel();
  const t = useText();
  const show = useShown();
  const tendered = keyed === '' ? minor : minorOf(keyed);
  return (
    <div class="two">
      <section>
        <Sum label={t.amount} text={show(minor)} />
        <Price order={order} />
        <Sum label={keyed === '' ? `${t.tendered} (${t.exact})` : t.tendered} text={show(tendered)} class="tendered" />
        <Sum label={t.change} text={show(Math.max(tendered - minor, 0))} class="change" />
        <div class="notes">
          {likelyTendered(minor, state?.minor_digits ?? 2).map((sum) => (
            <Key key={sum} what={{ kind: 'tendered', minor: sum }} id={`tendered-${sum}`}>{show(sum)}</Key>
          ))}
        </div>
      </section>
      <Keypad enter={t.takeCash} />
    </div>
  );
}

function ScanScreen({ minor, keyed }: { minor: number; keyed: string }) {
  const t = useText();
  const show = useShown();
  return (
    <div class="one">
      <Sum label={t.amount} text={show(minor)} />
      <p class="big pulse">{t.awaitScan}</p>
      {keyed === '' ? <p>{t.awaitScanHint}</p> : <output data-code>{keyed}</output>}
      <WithoutCore />
      <Key what={{ kind: 'escape' }} class="quiet"><kbd>Esc</kbd>{t.back}</Key>
    </div>
  );
}

function FindScreen({ screen }: { screen: Extract<Screen, { kind: 'find' }> }) {
  const { sales } = useModel();
  const t = useText();
  const found = candidates(sales, screen.purpose, screen.filter);
  return (
    <div class="two">
      <section>
        <h2>{t.find[screen.purpose]}</h2>
        <p class="filter">
          <output>{screen.filter === '' ? '…' : screen.filter}</output> <small>{t.findHint}</small>
        </p>
        <ul class="sales">
          {found.length === 0 && <li class="none">{t.noneFound}</li>}
          {found.slice(0, 50).map((sale, idx) => (
            <SaleRow key={sale.payment} sale={sale} chosen={idx === Math.min(screen.at, found.length - 1)} />
          ))}
        </ul>
      </section>
      <Keypad enter={t.enter} />
    </div>
  );
}

function ConfirmScreen({ screen }: { screen: Extract<Screen, { kind: 'confirm' }> }) {
  const { sales } = useModel();
  const t = useText();
  const show = useShown();
  const sale = sales.find(({ payment }) => payment === screen.payment);
  return (
    <div class="one">
      <Sum label={`#${sale?.counter ?? ''}`} text={show(sale?.amount_minor ?? Number.NaN)} />
      <p class="big">{t.confirm[screen.action]}</p>
      <p>{t.confirmHint[screen.action]}</p>
      <YesOrNo />
    </div>
  );
}

function TrainingScreen({ on }: { on: boolean }) {
  const t = useText();
  return (
    <div class="one">
      <p class="big">{on ? t.training.leave : t.training.enter}</p>
      <p>{on ? t.training.leaveHint : t.training.enterHint}</p>
      {!on && <p>{t.training.plots}</p>}
      <YesOrNo harmless />
    </div>
  );
}

function RefundScreen({ screen }: { screen: Extract<Screen, { kind: 'refund' }> }) {
  const { sales } = useModel();
  const t = useText();
  const show = useShown();
  const sale = sales.find(({ payment }) => payment === screen.payment);
  const left = sale === undefined ? Number.NaN : leftMinor(sale);
  if (screen.sure) {
    return (
      <div class="one">
        <Sum label={`#${sale?.counter ?? ''} · ${t.functions.refund}`} text={show(minorOf(screen.keyed))} />
        <p class="big">{t.refundSure}</p>
        <YesOrNo />
      </div>
    );
  }
  return (
    <div class="two">
      <section>
        <h2>#{sale?.counter} · {sale?.amount} · {t.left} {show(left)}</h2>
        <Sum label={t.refundTitle} text={screen.keyed === '' ? show(left) : show(minorOf(screen.keyed))} />
        <p>{t.refundAll}</p>
      </section>
      <Keypad enter={t.enter} />
    </div>
  );
}

function FunctionKeys() {
  const t = useText();
  const held = useModel().state?.held?.length ?? 0;
  const other = TEXTS[t === TEXTS.zh ? 'en' : 'zh'];
  return (
    <nav class="functions">
      {FUNCTION_KEYS.map(([key, name]) => (
        <Key key={name} what={{ kind: 'function', key: name }} id={name}>
          <kbd>{key}</kbd>
          <strong>{t.functions[name]}{name === 'hold' && held > 0 && ` ${held}`}</strong>
          <small>{other.functions[name]}</small>
        </Key>
      ))}
    </nav>
  );
}
