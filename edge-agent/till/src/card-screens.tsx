// A sale that waits for a card: what the customer is to do, as the agent tells it.

import { useModel, useText } from './hooks';
import { Key, Sum, useShown } from './till';

export function CardScreen({ minor }: { minor: number }) {
  const awaited = useModel().state?.awaiting_card ?? null;
  const t = useText();
  const show = useShown();
  return (
    <div class="one" data-step={awaited?.step}>
      <Sum label={t.amount} text={show(minor)} />
      {awaited?.trouble != null && <p class="why" role="alert">{t.card.troubles[awaited.trouble]}</p>}
      <p class="big pulse" role="status">{t.card.steps[awaited?.step ?? 'wait']}</p>
      {awaited?.stored === true && <p data-stored>{t.card.stored.awaited}</p>}
      <p>{t.card.hint}</p>
      <Key what={{ kind: 'escape' }} class="quiet"><kbd>Esc</kbd>{t.back}</Key>
    </div>
  );
}
