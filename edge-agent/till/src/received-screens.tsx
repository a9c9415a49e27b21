// What was paid today through the shop's printed codes: a line in the bar when it comes in, the way to the list, and the list.

import { clock, useModel, useText } from './hooks';
import { Key } from './till';

/** In the bar, in the place of where the till stands: it covers nothing and moves nothing. */
export function CameIn() {
  const { cameIn, state } = useModel();
  const t = useText();
  if (cameIn === null) return <span class="where">{state?.till.store_name} · {state?.till.terminal_name}</span>;
  return <strong class="came-in" role="status" data-came-in={cameIn.payment}>{t.received.came} {cameIn.amount} · {cameIn.label}</strong>;
}

/** Beside the heading of what was sold here. */
export function ReceivedKey() {
  const count = useModel().state?.received?.length ?? 0;
  const t = useText();
  return count === 0 ? null : <Key what={{ kind: 'received' }} class="quiet">{t.received.key} {count}</Key>;
}

export function ReceivedRoom() {
  const received = useModel().state?.received ?? [];
  const t = useText();
  return (
    <div class="two">
      <section>
        <h2>{t.received.title}</h2>
        <ul class="sales received">
          {received.length === 0 && <li class="none">{t.received.none}</li>}
          {received.map(({ payment, label, amount, paid_at }) => (
            <li key={payment} data-received={payment}>
              <time>{clock(paid_at)}</time>
              <span>{label}</span>
              <strong>{amount}</strong>
            </li>
          ))}
        </ul>
      </section>
      <div class="actions">
        <p>{t.received.hint}</p>
        <Key what={{ kind: 'escape' }} class="main"><kbd>Esc</kbd>{t.back}</Key>
      </div>
    </div>
  );
}
