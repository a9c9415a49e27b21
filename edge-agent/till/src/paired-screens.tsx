// The screens of the paired devices: who is let in, a new one's name, its code, and the question before one is revoked.

import { useEffect } from 'preact/hooks';
import type { PairedPage } from './api';
import { useModel, useNow, useText, when } from './hooks';
import { inLines, NAMES, type PairedScreen } from './paired';
import { watchPaired } from './paired-store';
import { ShortText } from './short-text';
import { fill } from './text';
import { Key, Keypad, YesOrNo } from './till';

export function PairedRoom({ screen }: { screen: PairedScreen }) {
  const { paired } = useModel();
  const t = useText();
  useEffect(watchPaired, []);
  if (paired === null) return <p class="big">{t.working}</p>;
  switch (screen.kind) {
    case 'paired':
      return <List page={paired} at={screen.at} />;
    case 'pair-name':
      return <NameScreen screen={screen} />;
    case 'pair-code':
      return <CodeScreen page={paired} name={screen.name} />;
    case 'revoke':
      return <RevokeScreen page={paired} id={screen.id} />;
  }
}

function Fingerprint({ of }: { of: string }) {
  const t = useText();
  return (
    <>
      <p><small>{t.paired.fingerprint}</small></p>
      <output class="fingerprint" data-fingerprint={of}>{inLines(of).map((line) => <span key={line}>{line}</span>)}</output>
    </>
  );
}

function List({ page, at }: { page: PairedPage; at: number }) {
  const t = useText();
  const { listener, devices } = page;
  const last = Math.max(devices.length - 1, 0);
  return (
    <div class="two info">
      <section data-listener={listener.state}>
        <h2>{t.paired.title} <small>{fill(t.paired.count, devices.length, page.devices_max)}</small></h2>
        {listener.state === 'off' && <p class="why">{t.paired.off}</p>}
        {listener.state === 'failed' && <p class="why">{t.paired.failed}{listener.why}</p>}
        {page.trouble !== null && <p class="why">{t.paired.trouble}{page.trouble}</p>}
        <ul class="sales paired">
          {devices.length === 0 && <li class="none">{t.paired.none}</li>}
          {devices.map(({ id, name, role, seen_at, is_leaving }, idx) => (
            <li key={id} class={idx === Math.min(at, last) ? 'chosen' : ''} data-device={name}>
              <Key what={{ kind: 'device', id }} id={`device-${id}`}>
                <strong>{name}</strong>
                <span>{t.paired.roles[role]}</span>
                {is_leaving ? <span class="why" data-leaving>{t.paired.leaving}</span> : <small>{t.paired.seen} {seen_at === null ? '—' : when(seen_at)}</small>}
                <span>{t.paired.revoke}</span>
              </Key>
            </li>
          ))}
        </ul>
        {listener.state === 'open' && (
          <>
            <p>{t.paired.address} <strong>{listener.url}</strong> <small>{fill(t.paired.certificateUntil, new Date(listener.certificate_expires_at).toLocaleDateString())}</small></p>
            <Fingerprint of={listener.fingerprint} />
          </>
        )}
      </section>
      <div class="actions">
        {listener.state === 'open' && (
          <>
            <Key what={{ kind: 'digits', digits: '1' }} id="pair-till"><kbd>1</kbd>{t.paired.pairTill}</Key>
            <Key what={{ kind: 'digits', digits: '2' }} id="pair-display"><kbd>2</kbd>{t.paired.pairDisplay}</Key>
          </>
        )}
        {devices.length > 0 && <Key what={{ kind: 'function', key: 'cancel' }} id="revoke"><kbd>Del</kbd>{t.paired.revoke}</Key>}
        <Key what={{ kind: 'escape' }} class="quiet"><kbd>Esc</kbd>{t.back}</Key>
      </div>
    </div>
  );
}

function NameScreen({ screen }: { screen: Extract<PairedScreen, { kind: 'pair-name' }> }) {
  const t = useText();
  return (
    <div class="two">
      <section>
        <h2>{screen.role === 'till' ? t.paired.pairTill : t.paired.pairDisplay}</h2>
        <ShortText label={t.paired.name} keyed={screen.keyed} />
        <p>{t.paired.nameHint}</p>
        <div class="notes">
          {NAMES.map((name) => (
            <Key key={name} what={{ kind: 'typed', text: t.paired.names[name] }} id={`name-${name}`}>{t.paired.names[name]}</Key>
          ))}
        </div>
      </section>
      <Keypad enter={t.paired.pair} />
    </div>
  );
}

/** Wrong codes that one takes. */
const TRIES = 5;

function CodeScreen({ page, name }: { page: PairedPage; name: string }) {
  const { pairing } = useModel();
  const t = useText();
  const now = useNow();
  const { listener, offer } = page;
  const back = <Key what={{ kind: 'escape' }} class="quiet"><kbd>Esc</kbd>{t.back}</Key>;
  const left = Math.ceil(((pairing?.expires_at ?? 0) - now) / 1_000);
  // Another page of this till may have made another code since.
  if (pairing === null || offer?.id !== pairing.id || left <= 0) {
    return <div class="one"><p class="big" data-pairing="over">{t.paired.over}</p>{back}</div>;
  }
  const [address] = pairing.url.split('#');
  return (
    <div class="two pairing" data-pairing="open">
      <img alt={pairing.code} data-url={pairing.url} src={`data:image/svg+xml,${encodeURIComponent(pairing.svg)}`} />
      <section>
        <h2>{name}</h2>
        <p>{t.paired.scan}</p>
        {offer.tries_left > 0 && (
          <>
            <p>{t.paired.orType}: <strong>{address}</strong></p>
            <p class="big"><output data-pairing-code>{pairing.code}</output></p>
          </>
        )}
        <p><small>{fill(t.paired.goodFor, `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}`)}</small></p>
        {offer.tries_left < TRIES && <p class="why" data-wrong>{offer.tries_left > 0 ? fill(t.paired.wrong, offer.tries_left) : t.paired.spoilt}</p>}
        <p>{t.paired.compare}</p>
        {listener.state === 'open' && <Fingerprint of={listener.fingerprint} />}
        {back}
      </section>
    </div>
  );
}

function RevokeScreen({ page, id }: { page: PairedPage; id: string }) {
  const t = useText();
  return (
    <div class="one" data-question="revoke">
      <h2>{page.devices.find((device) => device.id === id)?.name}</h2>
      <p class="big">{t.paired.revokeSure}</p>
      <p>{t.paired.revokeHint}</p>
      <YesOrNo id="revoke-sure" />
    </div>
  );
}
