// What a technician asks of a terminal: links, sync, peripherals with their self-tests, alarms, books.

import { shown } from './amount';
import { clock, useModel, useText } from './hooks';
import { IS_PAIRED } from './paired';
import { selfTest } from './device-store';
import { fill } from './text';
import { updateLine } from './text-update';
import { Key } from './till';
import { whyClosed } from './without-core';

export function InfoScreen() {
  const { state, language } = useModel();
  const t = useText();
  if (state === null) return <p class="big">{t.agentGone}</p>;
  const update = updateLine(language, state.update);
  const sign = (up: boolean): string => (up ? '✓' : '✗');
  return (
    <div class="two info">
      <section>
        <h2>{t.info} · {state.till.merchant_name} · {state.update?.running ?? state.version}</h2>
        <p>{t.links}: MQTT {sign(state.link.mqtt)} · HTTPS {sign(state.link.https)} · {fill(t.journalSent, state.sync.through, state.sync.head)}</p>
        {state.sync.stopped !== null && <p class="why">{t.syncStopped}: #{state.sync.stopped.sequence} {state.sync.stopped.why}</p>}
        {!state.disk.ok && <p class="why">{t.diskFull}: {state.disk.detail}</p>}
        {typeof state.offline?.why === 'string' && <p class="why" data-offline={state.offline.why}>{t.offline.closed}: {whyClosed(t, state.offline)}</p>}
        {typeof state.stored?.why === 'string' && <p class="why" data-stored={state.stored.why}>{t.card.stored.closed}: {whyClosed(t, state.stored)}</p>}
        {update !== null && <p data-update>{update}</p>}
        <h2>{t.peripherals}</h2>
        <ul class="devices">
          {state.peripherals.map(({ kind, driver, state: health, detail }) => (
            <li key={kind} data-health={health}>
              <span>{t.peripheralKinds[kind] ?? kind} <small>{driver}</small></span>
              <span>{t.peripheralStates[health]} <small>{detail}</small></span>
              {['printer', 'display', 'scanner', 'scale', 'speaker', 'card_reader'].includes(kind) && (
                <button type="button" data-key={`test-${kind}`} onClick={() => void selfTest(kind)}>{t.selfTest}</button>
              )}
            </li>
          ))}
        </ul>
        {(state.stored?.to_acknowledge ?? []).length > 0 && <h2>{t.card.stored.toAcknowledge}</h2>}
        {state.stored?.to_acknowledge?.map(({ payment, counter, amount_minor, masked, code }) => (
          <Key key={payment} what={{ kind: 'pick', payment }} id={`seen-${counter}`}>
            #{counter} · {masked} · {shown(amount_minor, state.minor_digits)} · {code === 'stored_declined' ? t.card.stored.declined : t.card.stored.office}
          </Key>
        ))}
        <h2>{t.alarms}</h2>
        {state.alarms.length === 0 && <p>{t.noAlarms}</p>}
        {state.alarms.map((alarm) => (
          <p key={`${alarm.code}${alarm.at}`} class="why">{clock(alarm.at)} {alarm.message}</p>
        ))}
      </section>
      <div class="actions">
        {IS_PAIRED ? <p>{t.paired.elsewhere}</p> : (
          <>
            <Key what={{ kind: 'digits', digits: '1' }} id="devices"><kbd>1</kbd>{t.devices.title}</Key>
            <Key what={{ kind: 'digits', digits: '2' }} id="paired"><kbd>2</kbd>{t.paired.title}</Key>
          </>
        )}
        {!IS_PAIRED && <Key what={{ kind: 'digits', digits: '3' }} id="sync-now"><kbd>3</kbd>{t.syncNow}</Key>}
        <Key what={{ kind: 'training' }} id="training"><kbd>F10</kbd>{t.training.name}</Key>
        <Key what={{ kind: 'digits', digits: '4' }} id="books"><kbd>4</kbd>{t.books}</Key>
        <Key what={{ kind: 'digits', digits: '5' }} id="drawer"><kbd>5</kbd>{t.drawer}</Key>
        <Key what={{ kind: 'received' }} id="received"><kbd>6</kbd>{t.received.title}</Key>
        <Key what={{ kind: 'escape' }} class="main"><kbd>Esc</kbd>{t.back}</Key>
      </div>
    </div>
  );
}
