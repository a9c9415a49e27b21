// The letters on a customer's page, typed.

import { useModel, useText } from './hooks';
import type { LettersScreen } from './phone';
import { Keypad, Sum, useShown } from './till';

export function LettersRoom({ screen }: { screen: LettersScreen }) {
  const { sales } = useModel();
  const t = useText();
  const show = useShown();
  const sale = sales.find(({ payment }) => payment === screen.payment);
  const shown = screen.keyed.length > 4 ? `${screen.keyed.slice(0, 4)}-${screen.keyed.slice(4)}` : screen.keyed;
  return (
    <div class="two">
      <section>
        <Sum label={`#${sale?.counter ?? ''}`} text={show(sale?.amount_minor ?? Number.NaN)} />
        <p class="big">{t.offline.phone.letters}</p>
        <output data-letters>{shown === '' ? '…' : shown}</output>
        <p>{t.offline.phone.lettersHint}</p>
      </section>
      <Keypad enter={t.enter} />
    </div>
  );
}
