// The screens of a split payment: what it costs, what is paid and what is still to be paid, with each part; and the question before
// all of it goes back.

import type { Split } from './api';
import { minorOf } from './amount';
import { clock, useModel, useText } from './hooks';
import { splitOf, type SplitScreen } from './split';
import { knownSplits } from './store';
import { Key, Keypad, Sum, useShown, YesOrNo } from './till';

export function SplitRoom({ screen }: { screen: SplitScreen }) {
  const model = useModel();
  const split = splitOf(knownSplits(model), screen.number);
  const t = useText();
  const show = useShown();
  if (screen.kind === 'split-back') {
    return (
      <div class="one">
        <Sum label={`${t.split.title} #${screen.number}`} text={show(split?.paid_minor ?? 0)} class="giving" />
        <p class="big">{t.split.backSure}</p>
        <p>{t.split.backHint}</p>
        <YesOrNo />
      </div>
    );
  }
  if (screen.number !== null && split === null) return <p class="big pulse">{t.working}</p>;
  const collects = split === null || split.actions.includes('collect');
  const total = split?.total_minor ?? screen.minor;
  const rest = split === null ? screen.minor : split.rest_minor;
  const keyed = minorOf(screen.keyed);
  return (
    <div class="two" data-split={screen.number ?? ''} data-split-state={split?.state ?? 'new'}>
      <section>
        <h2>{t.split.title}{split !== null && ` #${split.number}`}{split?.reference !== undefined && ` · ${split.reference}`}</h2>
        {collects && <Sum label={t.split.part} text={show(keyed === 0 && split !== null ? rest : keyed)} />}
        <p class="marks" data-totals>
          <span>{t.split.total} {show(total)}</span>
          <span>{t.split.paid} {show(split?.paid_minor ?? 0)}</span>
          <span data-rest={rest}>{t.split.rest} {show(rest)}</span>
        </p>
        {split !== null && <p class="state-line" role="status">{t.split.states[split.state]}</p>}
        <p>{collects ? (split === null ? t.split.firstHint : t.split.hint) : split.in_the_way !== undefined ? t.split.inTheWay : ''}</p>
        {split === null && model.state?.rules === true && <p data-price="list">{t.quote.splitAtList}</p>}
        {split !== null && <Parts split={split} />}
      </section>
      {collects ? <Collecting split={split} /> : <Looking split={split} />}
    </div>
  );
}

function Collecting({ split }: { split: Split | null }) {
  const t = useText();
  return (
    <div class="split-keys">
      {split !== null && (
        <Key what={{ kind: 'function', key: 'void' }} id="split-back"><kbd>F3</kbd>{t.split.giveUp}</Key>
      )}
      <Keypad enter={t.enter} />
    </div>
  );
}

function Looking({ split }: { split: Split }) {
  const t = useText();
  return (
    <div class="actions">
      {split.actions.includes('give_back') && (
        <Key what={{ kind: 'function', key: 'void' }} id="split-back"><kbd>F3</kbd>{t.split.back}</Key>
      )}
      {split.actions.includes('reprint') && (
        <Key what={{ kind: 'function', key: 'reprint' }} id="split-reprint"><kbd>F6</kbd>{t.actions.reprint}</Key>
      )}
      <Key what={{ kind: 'enter' }} class="main" id="next"><kbd>Enter</kbd>{split.in_the_way === undefined ? t.next : t.split.look}</Key>
    </div>
  );
}

function Parts({ split }: { split: Split }) {
  const t = useText();
  const show = useShown();
  return (
    <ul class="sales">
      {split.parts.map((part) => (
        <li key={part.payment}>
          <Key what={{ kind: 'pick', payment: part.payment }} id={`part-${part.counter}`} class={part.collected_minor > 0 ? 'good' : 'over'}>
            <span>#{part.counter}</span>
            <time>{t.paidBy[part.method]}</time>
            <strong>{show(part.amount_minor)}</strong>
            <span>{t.states[part.state]}</span>
          </Key>
        </li>
      ))}
    </ul>
  );
}

/** On the home screen: those that wait to be finished. */
export function SplitRows() {
  const { state } = useModel();
  const t = useText();
  const show = useShown();
  if ((state?.training ?? null) !== null) return null;
  return (
    <>
      {(state?.splits ?? []).map((split) => (
        <Key key={split.number} what={{ kind: 'split', number: split.number }} id={`split-${split.number}`} class="main">
          {t.split.title} #{split.number} · {clock(split.began_at)} · {t.split.rest} {show(split.rest_minor)}
        </Key>
      ))}
    </>
  );
}
