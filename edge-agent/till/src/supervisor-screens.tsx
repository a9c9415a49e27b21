// Where a supervisor keys number and PIN.

import { useText } from './hooks';
import { masked, type SupervisorScreen } from './supervisor';
import { Keypad } from './till';

export function SupervisorRoom({ screen }: { screen: SupervisorScreen }) {
  const t = useText();
  const { number, keyed } = screen;
  return (
    <div class="two" data-supervisor={number ?? ''}>
      <section>
        <h2>{t.supervisor.title} · {t.functions[screen.action]}</h2>
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
