// A price by the shop's own rules: what it is made of, and plain words where there is none.

import type { Sale } from './api';
import { useModel, useText } from './hooks';
import type { Order } from './held';
import { useShown } from './till';

/** Under the amount, where a shop has rules; it takes its place before there is something in it, so that no key moves under a finger. */
export function Price({ order }: { order: Order | undefined }) {
  const { state } = useModel();
  if (state?.rules !== true || order?.split !== undefined) return null;
  return <div class="price"><PriceLines order={order} /><PriceWords order={order} /></div>;
}

/** The list price and why it is another. */
function PriceLines({ order }: { order: Order | undefined }) {
  const t = useText();
  const quote = order?.quote;
  if (quote === undefined) return null;
  return (
    <>
      <Lines list={quote.list_minor} adjustments={quote.adjustments} />
      {quote.failed.length > 0 && <p class="why" data-price="passed_over">{t.quote.passedOver}{quote.failed.join('; ')}</p>}
    </>
  );
}

export function SoldPrice({ quote }: { quote: NonNullable<Sale['quote']> }) {
  return <Lines list={quote.list_minor} adjustments={quote.adjustments} />;
}

function Lines({ list, adjustments }: { list: number; adjustments: { name: string; minor: number }[] }) {
  const t = useText();
  const show = useShown();
  if (adjustments.length === 0) return null;
  return (
    <p class="marks" data-price="quoted">
      <span>{t.quote.list} {show(list)}</span>
      {adjustments.map(({ name, minor }) => (
        <span key={name}>{name} {minor < 0 ? `−${show(-minor)}` : `+${show(minor)}`}</span>
      ))}
    </p>
  );
}

/** Why the list price stands, or that the price is still asked for. */
function PriceWords({ order }: { order: Order | undefined }) {
  const { price } = useModel();
  const t = useText();
  if (order?.quote !== undefined || price === null) return null;
  if (price === 'asking') return <p class="marks pulse" data-price="asking">{t.quote.asking}</p>;
  if (price === 'no_rules' || price === 'training') return null;
  return <p class="why" role="status" data-price={price}>{t.quote.why[price]}</p>;
}
