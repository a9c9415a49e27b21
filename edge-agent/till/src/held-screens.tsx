// The screens of what is put aside: the list with its ages, the number of a table or an order, and the question before one is
// dropped.

import type { Held } from './api';
import { age, type HeldScreen } from './held';
import { useModel, useNow, useText } from './hooks';
import { ShortText } from './short-text';
import { Key, Keypad, Sum, useShown, YesOrNo } from './till';

export function HeldRoom({ screen }: { screen: HeldScreen }) {
  switch (screen.kind) {
    case 'reference':
      return <ReferenceScreen screen={screen} />;
    case 'held':
      return <HeldList at={screen.at} />;
    case 'drop':
      return <DropScreen number={screen.number} />;
  }
}

export function HeldRow({ held, chosen }: { held: Held; chosen?: boolean }) {
  const now = useNow();
  return (
    <li class={chosen === true ? 'chosen' : ''}>
      <Key what={{ kind: 'take', number: held.number }} id={`take-${held.number}`}>
        <span>{held.number}</span>
        <time>{age(held.held_at, now)}</time>
        <strong>{held.amount}</strong>
        <span>{held.reference ?? ''}</span>
      </Key>
    </li>
  );
}

function HeldList({ at }: { at: number }) {
  const held = useModel().state?.held ?? [];
  const t = useText();
  return (
    <div class="two">
      <section>
        <h2>{t.held.title}</h2>
        <ul class="sales held">
          {held.length === 0 && <li class="none">{t.held.none}</li>}
          {held.map((one, idx) => <HeldRow key={one.number} held={one} chosen={idx === Math.min(at, held.length - 1)} />)}
        </ul>
      </section>
      <div class="actions">
        <p>{t.held.hint}</p>
        <Key what={{ kind: 'enter' }} class="main"><kbd>Enter</kbd>{t.held.take}</Key>
        <Key what={{ kind: 'function', key: 'cancel' }} id="drop"><kbd>Del</kbd>{t.held.drop}</Key>
        <Key what={{ kind: 'escape' }} class="quiet"><kbd>Esc</kbd>{t.back}</Key>
      </div>
    </div>
  );
}

function ReferenceScreen({ screen }: { screen: Extract<HeldScreen, { kind: 'reference' }> }) {
  const t = useText();
  const show = useShown();
  return (
    <div class="two">
      <section>
        <Sum label={screen.to === 'hold' ? t.functions.hold : t.amount} text={show(screen.minor)} />
        <ShortText label={t.held.reference} keyed={screen.keyed} />
        <p>{t.held.referenceHint}</p>
      </section>
      <Keypad enter={screen.to === 'hold' ? t.functions.hold : t.enter} />
    </div>
  );
}

function DropScreen({ number }: { number: number }) {
  const held = useModel().state?.held?.find((one) => one.number === number);
  const t = useText();
  return (
    <div class="one">
      <Sum label={`${number} ${held?.reference ?? ''}`} text={held?.amount ?? '—'} />
      <p class="big">{t.held.dropSure}</p>
      <p>{t.held.dropHint}</p>
      <YesOrNo />
    </div>
  );
}
