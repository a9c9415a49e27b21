// The letters on a customer's page, typed.

import { useModel, useText } from './hooks';
import { LETTERS, type LettersScreen } from './phone';
import { Key, Sum, useShown } from './till';

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
      <div class="keypad letters">
        {LETTERS.map((letter) => (
          <Key key={letter} what={{ kind: 'text', text: letter }} id={`letter-${letter}`}>{letter}</Key>
        ))}
        <Key what={{ kind: 'back' }} class="quiet">⌫</Key>
        <Key what={{ kind: 'escape' }} class="quiet">{t.back}</Key>
        <Key what={{ kind: 'enter' }} class="main">{t.enter}</Key>
      </div>
    </div>
  );
}
