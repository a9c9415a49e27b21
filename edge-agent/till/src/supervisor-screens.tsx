// Where a supervisor keys number and PIN.

import { useModel, useText } from './hooks';
import { leftMinor } from './screen';
import { knownSplits } from './store';
import { masked, type SupervisorScreen } from './supervisor';
import { Keypad, Sum, useShown } from './till';

export function SupervisorRoom({ screen }: { screen: SupervisorScreen }) {
  const t = useText();
  const show = useShown();
  const { number, keyed, payment, action, body, split } = screen;
  const sale = useModel().sales.find((one) => one.payment === payment);
  const whole = knownSplits(useModel()).find((one) => one.number === split);
  const left = sale === undefined ? (whole?.paid_minor ?? null) : leftMinor(sale);
  const giving = typeof body.amount_minor === 'number' ? body.amount_minor : left;
  return (
    <div class="two" data-supervisor={number ?? ''}>
      <section>
        <h2>{t.supervisor.title} · {t.functions[action]}</h2>
        {giving !== null && <Sum label={`${t.functions[action]}${sale === undefined ? '' : ` #${sale.counter}`}${split === undefined ? '' : ` #${split}`}`} text={show(giving)} class="giving" />}
        {sale !== undefined && <p>{sale.reference !== undefined && `${sale.reference} · `}{sale.amount} · {t.left} {show(left ?? 0)}</p>}
        {number === null
          ? <p class="filter">{t.supervisor.number} <output>{keyed === '' ? '…' : keyed}</output></p>
          : <PinLine keyed={keyed} />}
        <p>{number === null ? t.supervisor.hint : t.pin.hint}</p>
      </section>
      <Keypad enter={t.enter} />
    </div>
  );
}

/** The digits of a PIN are on no screen. */
export function PinLine({ keyed }: { keyed: string }) {
  const t = useText();
  return <p class="filter">{t.pin.title} <output data-pin={keyed.length} aria-label={t.pin.title}>{keyed === '' ? '…' : masked(keyed)}</output></p>;
}
