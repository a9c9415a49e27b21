// The page of the devices: how each is and what to do about it, what is plugged in, and the form that sets one.

import { useEffect, useRef } from 'preact/hooks';
import type { Device, DevicesPage } from './api';
import { type DeviceScreen, type Draft, driverOf, KINDS, suggestions, shownValue, takesKeys, withDriver } from './devices';
import { useModel, useText, when } from './hooks';
import { fillIn, SEARCH, watchDevices } from './device-store';
import { fill, type Texts } from './text';
import { Key, YesOrNo } from './till';

export function DeviceRoom({ screen }: { screen: DeviceScreen }) {
  const { devices } = useModel();
  const t = useText();
  useEffect(watchDevices, []);
  if (devices === null) return <p class="big">{t.working}</p>;
  switch (screen.kind) {
    case 'devices':
      return <List page={devices} at={screen.at} />;
    case 'device':
      return <One page={devices} of={screen.of} />;
    case 'device-form':
      return screen.sure === true
        ? <KeysQuestion page={devices} of={screen.of} draft={screen.draft} />
        : <Form page={devices} of={screen.of} draft={screen.draft} />;
  }
}

function nameOf(t: Texts, kind: string): string {
  return t.peripheralKinds[kind] ?? kind;
}

function Back() {
  return <Key what={{ kind: 'escape' }} class="quiet"><kbd>Esc</kbd>{useText().back}</Key>;
}

function Standing({ settings }: { settings: DevicesPage['settings'] }) {
  const t = useText();
  const { file, locked, broken, pending } = settings;
  return (
    <>
      {file !== null && <p><small>{t.devices.file}: {file}</small></p>}
      {locked !== null && <p data-locked><small>{t.devices.locked}{locked}</small></p>}
      {broken !== null && <p class="why">{t.devices.broken}{broken}</p>}
      {pending.length > 0 && <p class="why">{fill(t.devices.pending, pending.map((kind) => nameOf(t, kind)).join(', '))}</p>}
    </>
  );
}

function List({ page, at }: { page: DevicesPage; at: number }) {
  const { busy } = useModel();
  const t = useText();
  return (
    <div class="two info">
      <section>
        <h2>{t.devices.title}</h2>
        <div class="device-list">
          {KINDS.map((kind, idx) => (
            <Row key={kind} idx={idx} isChosen={idx === at} kind={kind} device={page.devices.find((one) => one.kind === kind)} />
          ))}
        </div>
        <Standing settings={page.settings} />
      </section>
      <section>
        <h2>{t.devices.connected}</h2>
        {page.connected.length === 0 && <p>{t.devices.nothingConnected}</p>}
        <ul class="found">
          {page.connected.map(({ place, name, used_by }) => (
            <li key={place}>
              {name} <small>{place !== name && place}{used_by.length > 0 && ` · ${fill(t.devices.usedBy, used_by.map((kind) => nameOf(t, kind)).join(', '))}`}</small>
            </li>
          ))}
        </ul>
        <div class="actions">
          <Key what={{ kind: 'digits', digits: '9' }} id="search">
            <kbd>9</kbd>{busy.includes(SEARCH) ? t.working : t.devices.search}
          </Key>
          <Back />
        </div>
      </section>
    </div>
  );
}

function Row({ idx, kind, device, isChosen }: { idx: number; kind: string; device: Device | undefined; isChosen: boolean }) {
  const t = useText();
  const state = device?.state ?? 'starting';
  return (
    <div data-health={state}>
      <Key what={{ kind: 'digits', digits: String(idx + 1) }} id={`device-${kind}`} class={isChosen ? 'chosen' : ''}>
        <kbd>{idx + 1}</kbd>
        <strong>{nameOf(t, kind)}</strong>
        <small>{t.devices.drivers[device?.driver ?? ''] ?? device?.driver} {device?.place}</small>
        <span class="health">{t.devices.states[state]}</span>
      </Key>
    </div>
  );
}

function Trouble({ device }: { device: Device }) {
  const t = useText();
  const { trouble, detail } = device;
  return (
    <>
      {trouble !== null && <p class="why" data-trouble={trouble}>{t.devices.troubles[trouble]}</p>}
      {detail !== '' && <p><small>{detail}</small></p>}
    </>
  );
}

function One({ page, of }: { page: DevicesPage; of: string }) {
  const { busy } = useModel();
  const t = useText();
  const device = page.devices.find(({ kind }) => kind === of);
  if (device === undefined) return <Back />;
  const isThere = device.state !== 'none';
  const error = device.last_error;
  return (
    <div class="two info">
      <section data-health={device.state} data-device={of}>
        <h2>{nameOf(t, of)}</h2>
        <p class="big health">
          {t.devices.states[device.state]} {device.since !== null && <small>{fill(t.devices.since, when(device.since))}</small>}
        </p>
        <Trouble device={device} />
        <dl class="facts">
          <dt>{t.devices.driver}</dt>
          <dd>{t.devices.drivers[device.driver] ?? device.driver} <small>{device.driver}</small></dd>
          {device.place !== null && <><dt>{t.devices.options['device']}</dt><dd>{device.place}</dd></>}
          <dt>{t.devices.lastUsed}</dt>
          <dd>{device.last_used_at === null ? t.devices.never : when(device.last_used_at)}</dd>
          <dt>{t.devices.lastError}</dt>
          <dd>
            {error === null ? t.devices.never : when(error.at)} {error !== null && error.trouble !== null && t.devices.troubles[error.trouble]}
            {error !== null && <> <small>{error.why}</small></>}
          </dd>
        </dl>
      </section>
      <div class="actions">
        {isThere && <Key what={{ kind: 'digits', digits: '1' }} id="self-test"><kbd>1</kbd>{t.selfTest}</Key>}
        {isThere && (
          <Key what={{ kind: 'digits', digits: '2' }} id="restart">
            <kbd>2</kbd>{busy.includes(`/api/peripherals/${of}/restart`) ? t.working : t.devices.restart}
          </Key>
        )}
        <Key what={{ kind: 'digits', digits: '3' }} id="settings"><kbd>3</kbd>{t.devices.settings}</Key>
        <Back />
      </div>
    </div>
  );
}

/** What an option is chosen from; anything else is typed. */
const CHOICES: Readonly<Record<string, readonly string[]>> = {
  baud: ['1200', '2400', '4800', '9600', '19200', '38400', '57600', '115200'],
  width_dots: ['384', '576'],
  encoding: ['gb18030', 'utf8'],
  qr: ['printer', 'raster'],
  parity: ['even', 'none'],
  language: ['zh', 'en', 'both'],
  volume: ['0', '10', '20', '30', '40', '50', '60', '70', '80', '90', '100'],
};

function Form({ page, of, draft }: { page: DevicesPage; of: string; draft: Draft }) {
  const { busy } = useModel();
  const t = useText();
  const driver = driverOf(page, of, draft);
  const { locked } = page.settings;
  const found = suggestions(page, of, draft);
  const place = driver?.place;
  const options = [...(place === undefined ? [] : [place]), ...(driver?.options ?? [])];
  const names = page.drivers.filter(({ kind }) => kind === of).map(({ name }) => name);
  const first = useRef<HTMLSelectElement>(null);
  // Without a mouse, the form begins where it is filled in.
  useEffect(() => first.current?.focus(), []);
  return (
    <div class="two info">
      <section>
        <h2>{nameOf(t, of)} · {t.devices.settings}</h2>
        <div class="form">
          <label for={of}>{t.devices.driver}</label>
          <select
            id={of}
            ref={first}
            disabled={locked !== null || isByEnvironment(page, of)}
            value={shownValue(page, draft, of)}
            onChange={(event) => fillIn(withDriver(page, of, draft, event.currentTarget.value))}
          >
            {names.map((name) => <option key={name} value={name}>{t.devices.drivers[name] ?? name}</option>)}
          </select>
          {options.map((option) => <Field key={option} page={page} draft={draft} option={option} of={of} />)}
        </div>
        {takesKeys(page, of, draft) && <p class="why" data-takes-keys>{t.devices.takesKeys}</p>}
        {place?.endsWith('_address') === true && locked === null && <AddressPad page={page} draft={draft} option={place} />}
        {place !== undefined && found.length > 0 && (
          <>
            <h2>{t.devices.connected}</h2>
            <ul class="found">
              {found.map(({ place: its, name, used_by }) => (
                <li key={its}>
                  <button type="button" disabled={locked !== null} onClick={() => fillIn({ ...draft, [place]: its })}>
                    {name} <small>{used_by.length > 0 && fill(t.devices.usedBy, used_by.map((kind) => nameOf(t, kind)).join(', '))}</small>
                  </button>
                </li>
              ))}
            </ul>
          </>
        )}
        <Standing settings={page.settings} />
      </section>
      <div class="actions">
        {locked === null && (
          <Key what={{ kind: 'enter' }} id="save" class="main">
            <kbd>Enter</kbd>{busy.includes('/api/peripherals/settings') ? t.working : t.devices.save}
          </Key>
        )}
        <Back />
      </div>
    </div>
  );
}

/** Before a device is sent that may turn out to be the keyboard under the cashier's hands. */
function KeysQuestion({ page, of, draft }: { page: DevicesPage; of: string; draft: Draft }) {
  const t = useText();
  const place = driverOf(page, of, draft)?.place;
  const path = place === undefined ? '' : shownValue(page, draft, place);
  return (
    <div class="one" data-question="takes-keys">
      <p class="big">{t.devices.takeKeys}</p>
      <p><strong>{page.connected.find((one) => one.place === path)?.name}</strong> <small>{path}</small></p>
      <p class="why">{t.devices.takesKeys}</p>
      <YesOrNo id="take-keys" />
    </div>
  );
}

function isByEnvironment(page: DevicesPage, option: string): boolean {
  return page.settings.options.some(({ name, variable }) => name === option && variable !== null);
}

function Field({ page, draft, option, of }: { page: DevicesPage; draft: Draft; option: string; of: string }) {
  const t = useText();
  const short = option.slice(of.length + 1);
  const value = shownValue(page, draft, option);
  const set = page.settings.options.find(({ name }) => name === option);
  const isShut = page.settings.locked !== null || isByEnvironment(page, option);
  const choices = CHOICES[short];
  const fillWith = (event: { currentTarget: { value: string } }): void => fillIn({ ...draft, [option]: event.currentTarget.value });
  return (
    <>
      <label for={option}>{t.devices.options[short] ?? option}</label>
      <div>
        {choices === undefined
          ? <input id={option} type="text" autocomplete="off" spellcheck={false} maxLength={200} disabled={isShut} value={value} onInput={fillWith} />
          : (
            <select id={option} disabled={isShut} value={value} onChange={fillWith}>
              {[...choices, ...(choices.includes(value) ? [] : [value])].map((choice) => (
                <option key={choice} value={choice}>{t.devices.choices[choice] ?? choice}</option>
              ))}
            </select>
          )}
        {set !== undefined && set.variable !== null && <small>{fill(t.devices.variable, set.variable)}</small>}
      </div>
    </>
  );
}

/** A terminal without a keyboard can still name a printer on the network. */
function AddressPad({ page, draft, option }: { page: DevicesPage; draft: Draft; option: string }) {
  const value = shownValue(page, draft, option);
  return (
    <div class="pad">
      {[...'1234567890.:'].map((character) => (
        <button key={character} type="button" onClick={() => fillIn({ ...draft, [option]: value + character })}>{character}</button>
      ))}
      <button type="button" aria-label="Backspace" onClick={() => fillIn({ ...draft, [option]: value.slice(0, -1) })}>⌫</button>
    </div>
  );
}
