// The page by which a device in the shop's network is paired. It knows nothing of the till.

import { render } from 'preact';
import { useState } from 'preact/hooks';
import { freshKey, post } from './api';
import { codeIn, grouped, type Outcome, redeem, told } from './pair';

const KEY = 'saoma.pairing';
const fromLink = codeIn(location.hash);
// It is used once, and stands in no history.
if (location.hash !== '') history.replaceState(null, '', location.pathname);

/** One key for one code: after a lost answer, or a reload, it is still the same device. */
function keyFor(code: string): string {
  const [of, key] = (sessionStorage.getItem(KEY) ?? '').split(' ');
  if (of === code && key !== undefined) return key;
  const fresh = freshKey();
  sessionStorage.setItem(KEY, `${code} ${fresh}`);
  return fresh;
}

function Pairing() {
  const [typed, setTyped] = useState('');
  const [busy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const usesLink = fromLink !== '' && outcome?.kind !== 'refused';
  const code = usesLink ? fromLink : grouped(typed);
  async function pair(): Promise<void> {
    if (busy || code === '') return;
    setBusy(true);
    const key = keyFor(code);
    const came = await redeem(() => post<{ role: 'till' | 'display' }>('/api/pair', { code }, key));
    setOutcome(came);
    setBusy(false);
    if (came.kind !== 'paired') return;
    sessionStorage.removeItem(KEY);
    location.replace(came.role === 'display' ? '/display' : '/');
  }
  const words = outcome === null ? null : told(outcome);
  return (
    <main data-outcome={outcome?.kind}>
      <h1>配对收银机 <small>Pair with the till</small></h1>
      <p>先核对：浏览器显示的证书 SHA-256 指纹应与收银机上的一致。<br />Compare first: the certificate’s SHA-256 fingerprint in this browser with the one on the till.</p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void pair();
        }}
      >
        {!usesLink && (
          <label>
            配对码 Code
            <input id="code" autocomplete="off" autocapitalize="characters" spellcheck={false} placeholder="0000-0000" value={grouped(typed)} onInput={(event) => setTyped(event.currentTarget.value)} />
          </label>
        )}
        <button id="pair" type="submit" disabled={busy || code === ''}>配对这台设备 <small>Pair this device</small></button>
      </form>
      {words !== null && <p role="alert" data-code={outcome?.kind === 'refused' ? outcome.code : undefined}>{words[0]}<br />{words[1]}</p>}
    </main>
  );
}

const root = document.getElementById('root');
if (root !== null) render(<Pairing />, root);
