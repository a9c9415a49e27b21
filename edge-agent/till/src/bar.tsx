// The state bar: whether core hears us, what it has not heard yet, and what that is worth. Never covered by anything.

import { shown } from './amount';
import { clock, useModel, useNow, useText } from './hooks';
import { CameIn } from './received-screens';
import { tellsOfCash } from './shift';
import { press } from './store';
import { fill } from './text';

export function Bar() {
  const { connected, state, offlineSince, language, screen } = useModel();
  const t = useText();
  const now = useNow();
  const link = linkOf();
  const inTraining = (state?.training ?? null) !== null;
  const unsent = state?.unsent.count ?? 0;
  const risk = (state?.unsent.at_risk ?? [])
    .map(({ minor, currency }) => `${currency} ${shown(minor, state?.minor_digits ?? 2)}`)
    .join(' + ');
  const words = tellsOfCash(screen) ? fill(t.unsent, unsent, risk === '' ? '0' : risk) : fill(t.unsentCount, unsent);
  const waiting = fill(t.card.stored.waiting, state?.stored?.waiting_count ?? 0, shown(state?.stored?.waiting_minor ?? 0, state?.minor_digits ?? 2));
  const office = fill(t.card.stored.officeWaiting, state?.stored?.office_count ?? 0, shown(state?.stored?.office_minor ?? 0, state?.minor_digits ?? 2));
  const declined = state?.stored?.declined_count ?? 0;
  const troubles = (state?.alarms.length ?? 0) + (state?.peripherals.filter((one) => one.state !== 'ok').length ?? 0);

  function linkOf(): { kind: string; words: string } {
    if (!connected || state === null) return { kind: 'gone', words: t.agentGone };
    if (state.link.online) return { kind: 'online', words: t.online };
    return { kind: 'offline', words: fill(t.offlineSince, offlineSince === null ? '' : clock(offlineSince)) };
  }

  return (
    <header class="bar" data-link={link.kind} data-unsent={unsent}>
      {inTraining && <strong class="alarm" data-training>{t.training.on}</strong>}
      <span class="lamp" aria-hidden="true" />
      <strong class="link" role="status">{link.words}</strong>
      <span class={unsent === 0 ? 'unsent' : 'unsent some'}>
        {state === null ? '' : unsent === 0 ? t.allSent : words}
      </span>
      {state !== null && !state.disk.ok && <span class="alarm">{t.diskFull}</span>}
      {state !== null && state.sync.stopped !== null && <span class="alarm">{t.syncStopped}</span>}
      {typeof state?.offline?.why === 'string' && <span class="alarm" data-offline={state.offline.why}>{t.offline.closed}</span>}
      {(state?.stored?.waiting_count ?? 0) > 0 && tellsOfCash(screen) && <span class="alarm" data-stored={state?.stored?.waiting_count}>{waiting}</span>}
      {(state?.stored?.office_count ?? 0) > 0 && tellsOfCash(screen) && <span class="alarm" data-office={state?.stored?.office_count}>{office}</span>}
      {declined > 0 && <span class="alarm" data-declined={declined}>{t.card.stored.declined} × {declined}</span>}
      {state?.alarms.some((alarm) => alarm.code === 'basket_lost') && <span class="alarm" data-lost>{t.basketLost}</span>}
      {(state?.splits ?? []).length > 0 && <span class="alarm" data-splits>{t.split.open} {state?.splits?.length}</span>}
      <CameIn />
      <time>{clock(now)}</time>
      <button type="button" data-key="info" onClick={() => press({ kind: 'info' }, 'tap')} aria-label={t.info}>
        {troubles > 0 ? `⚠ ${troubles}` : 'ⓘ'}
      </button>
      <button type="button" data-key="language" aria-keyshortcuts="F12" onClick={() => press({ kind: 'language' }, 'tap')}>
        <kbd>F12</kbd>{language === 'zh' ? 'EN' : '中文'}
      </button>
    </header>
  );
}
