'use strict';
// The wallet itself: a payment code that renews itself, the balance, the history.

const CODE_LIFE_MS = 60_000;
let expiresAt = 0;
let renewing = false;

async function renew() {
  if (renewing) return;
  renewing = true;
  try {
    const code = await call('POST', `/wallet/api/accounts/${byId('account').value}/code`);
    expiresAt = code.expires_at;
    byId('code-qr').src = `data:image/svg+xml,${encodeURIComponent(code.qr_svg)}`;
    byId('code-qr').alt = code.code;
    // Groups are made by spans, so that the text stays the plain 18 digits.
    byId('code-digits').replaceChildren(...code.code.match(/.{1,4}/g).map((group) => {
      const span = document.createElement('span');
      span.textContent = group;
      return span;
    }));
    byId('code-digits').dataset.code = code.code;
    complain(null);
  } catch (error) {
    complain(error);
    expiresAt = Date.now() + 3_000;
  } finally {
    renewing = false;
  }
}

function complain(error) {
  byId('result').hidden = error === null;
  byId('result').textContent = error === null ? '' : text(`error${error.code}`);
}

async function loadHistory() {
  const entries = await call('GET', `/wallet/api/accounts/${byId('account').value}/history`);
  const list = byId('history');
  if (entries.length === 0) {
    const empty = document.createElement('li');
    empty.className = 'hint';
    empty.textContent = text('noHistory');
    list.replaceChildren(empty);
    return;
  }
  const time = new Intl.DateTimeFormat(lang, { dateStyle: 'medium', timeStyle: 'short' });
  list.replaceChildren(...entries.map((entry) => {
    const item = document.createElement('li');
    const what = document.createElement('div');
    const name = document.createElement('strong');
    name.textContent = entry.merchant_name;
    const detail = document.createElement('span');
    detail.className = 'hint';
    detail.textContent = `${text(entry.kind)} · ${time.format(entry.at)}`;
    what.append(name, detail);
    const amount = document.createElement('b');
    const out = entry.amount.startsWith('-');
    amount.className = out ? 'out' : 'in';
    amount.textContent = `${out ? '' : '+'}${money(entry.amount, entry.currency)}`;
    item.append(what, amount);
    return item;
  }));
}

function tick() {
  const left = Math.max(0, expiresAt - Date.now());
  byId('countdown').textContent = text('expiresIn', { s: Math.ceil(left / 1000) });
  byId('life').style.transform = `scaleX(${Math.min(1, left / CODE_LIFE_MS)})`;
  if (left === 0 && !document.hidden) renew();
}

async function refreshBooks() {
  try {
    await loadAccounts();
    await loadHistory();
  } catch (error) {
    complain(error);
  }
}

byId('account').addEventListener('change', () => { showAccount(); renew(); refreshBooks(); });
byId('refresh').addEventListener('click', renew);
refreshBooks().then(renew).then(() => {
  tick();
  setInterval(tick, 250);
  setInterval(() => { if (!document.hidden) refreshBooks(); }, 2_000);
});
