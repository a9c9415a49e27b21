// The basket: its lines, what it costs, and the keys that a touch screen lacks.

import { useEffect, useRef } from 'preact/hooks';
import type { Basket, BasketLine, GoodsTax } from './api';
import { kilograms } from './amount';
import type { BasketScreen } from './basket';
import { useModel, useText } from './hooks';
import { fill } from './text';
import type { WeighScreen } from './weigh';
import { SCALE } from './weigh-store';
import { Key, Keypad, Sum, useShown, YesOrNo } from './till';

export function BasketRoom({ screen }: { screen: BasketScreen }) {
  const basket = useModel().state?.basket ?? null;
  const t = useText();
  const show = useShown();
  if (screen.kind === 'weigh') return <WeighRoom screen={screen} />;
  if (basket === null) return <p class="big pulse">{t.working}</p>;
  if (screen.kind === 'basket-clear') {
    return (
      <div class="one">
        <Sum label={t.basket.title} text={show(basket.totals.total_minor)} />
        <p class="big">{t.basket.clearSure}</p>
        <YesOrNo />
      </div>
    );
  }
  return (
    <div class="two">
      <section>
        <Sum label={t.basket.title} text={show(basket.totals.total_minor)} class="total" />
        <Lines basket={basket} at={Math.min(screen.at, basket.lines.length - 1)} />
        <Totals basket={basket} />
      </section>
      <div class="basket-keys">
        <p class="filter"><output data-keyed>{screen.keyed === '' ? '…' : screen.keyed}</output> <small>{t.basket.keys}</small></p>
        <div class="notes">
          <Key what={{ kind: 'text', text: '-' }} id="discount">− {t.basket.line}</Key>
          <Key what={{ kind: 'text', text: '%' }} id="percent">%</Key>
          <Key what={{ kind: 'text', text: '+' }} id="other">+</Key>
          <Key what={{ kind: 'function', key: 'cancel' }} id="remove"><kbd>Del</kbd>{t.basket.remove}</Key>
          <Key what={{ kind: 'function', key: 'void' }} id="clear"><kbd>F3</kbd>{t.basket.clear}</Key>
        </div>
        <Keypad enter={screen.keyed === '' ? t.basket.pay : t.enter} />
      </div>
    </div>
  );
}

function WeighRoom({ screen }: { screen: WeighScreen }) {
  const t = useText();
  const show = useShown();
  const weighs = useModel().busy.includes(SCALE);
  return (
    <div class="two" data-weigh={screen.of.goods}>
      <section>
        <h2>{screen.of.name}</h2>
        <Sum label={t.basket.perKilogram} text={show(screen.of.minor)} class="per-kilogram" />
        <p class={weighs ? 'big pulse' : 'big'}>{screen.keyed === '' ? t.basket.weigh : kilograms(Number(screen.keyed))}</p>
        <p>{t.basket.weighHint}</p>
        {screen.next.length > 0 && <p>{fill(t.basket.weighNext, screen.next.map(({ name }) => name).join(', '))}</p>}
      </section>
      <Keypad enter={screen.keyed === '' ? t.basket.weighKey : t.enter} />
    </div>
  );
}

function Lines({ basket, at }: { basket: Basket; at: number }) {
  const chosen = useRef<HTMLLIElement>(null);
  useEffect(() => chosen.current?.scrollIntoView({ block: 'nearest' }), [at, basket.revision]);
  return (
    <ul class="sales basket">
      {basket.lines.map((line, idx) => (
        <li key={idx} ref={idx === at ? chosen : null} class={idx === at ? 'chosen' : ''}>
          <Key what={{ kind: 'line', line: idx }} id={`line-${idx}`}><LineOf line={line} /></Key>
        </li>
      ))}
    </ul>
  );
}

function LineOf({ line }: { line: BasketLine }) {
  const show = useShown();
  return (
    <>
      <span>{line.weight_grams === undefined ? `${line.quantity}×` : kilograms(line.weight_grams)}</span>
      <span>{line.name}{line.discount_minor > 0 && <small> −{show(line.discount_minor)}</small>}</span>
      <span>{show(line.price_minor)}{line.weight_grams !== undefined && '/kg'}</span>
      <strong>{show(line.total_minor)}</strong>
    </>
  );
}

function Totals({ basket }: { basket: Basket }) {
  const t = useText();
  const show = useShown();
  const { gross_minor, discount_minor, sale_discount_minor, taxes } = basket.totals;
  return (
    <p class="marks" data-totals>
      <span>{fill(t.basket.lines, basket.lines.length)}</span>
      {sale_discount_minor > 0 && <span>{t.basket.subtotal} {show(gross_minor - discount_minor)}</span>}
      {sale_discount_minor > 0 && <span>{t.basket.discountOnAll} −{show(sale_discount_minor)}</span>}
      {taxes.map(({ tax, tax_minor }) => (
        <span key={`${tax.name}${tax.basis_points}${tax.included}`}>
          {fill(tax.included ? t.basket.contained : t.basket.added, `${tax.name} ${rate(tax)}`)} {show(tax_minor)}
        </span>
      ))}
    </p>
  );
}

function rate({ basis_points }: GoodsTax): string {
  return `${basis_points / 100}%`;
}

/** On the home screen: that something is in the basket. */
export function BasketRow() {
  const { state } = useModel();
  const basket = state?.basket ?? null;
  const t = useText();
  const show = useShown();
  if (basket === null || (state?.training ?? null) !== null) return null;
  return (
    <Key what={{ kind: 'enter' }} id="basket" class="main">
      <kbd>Enter</kbd>{t.basket.title} · {fill(t.basket.lines, basket.lines.length)} · {show(basket.totals.total_minor)}
    </Key>
  );
}
