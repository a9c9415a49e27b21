'use strict';
// One order: what it is, from which account to pay it, and what came of it.

const ORDER = `/wallet/api/orders/${encodeURIComponent(location.pathname.split('/').pop())}`;
const POLL_MS = 800;
let order = null;
let busy = false;

function show() {
  byId('bill').hidden = false;
  byId('merchant').textContent = order.merchant_name;
  byId('store').textContent = order.store_name;
  byId('amount').textContent = money(order.amount, order.currency);
  byId('amount').dataset.amount = order.amount;
  byId('subject').textContent = order.subject;
  const waiting = order.status === 'WAITING';
  byId('payer').hidden = !waiting;
  byId('time').hidden = byId('time-label').hidden = !waiting;
  document.title = `${text('pay')} ${money(order.amount, order.currency)}`;
  if (!waiting) result(order.status, text(`result${order.status}`), text(`detail${order.status}`, { ref: order.reference }));
}

const TONES = { PAID: 'good', PAYING: 'busy', REFUNDED: 'plain', PARTLY_REFUNDED: 'plain', REVERSED: 'plain' };

function result(status, title, detail) {
  const panel = byId('result');
  panel.hidden = false;
  panel.dataset.status = status;
  panel.dataset.tone = TONES[status] ?? 'bad';
  byId('sign').textContent = { good: '✓', bad: '✕', busy: '', plain: '↩' }[panel.dataset.tone];
  byId('result-title').textContent = title;
  byId('result-detail').textContent = detail;
}

function complain(error) {
  const code = error.code ?? 'OTHER';
  if (code === 'NETWORK') return result(code, text('errorNETWORK'), text('detailNETWORK'));
  const retry = order !== null && order.status === 'WAITING' && ['INSUFFICIENT_FUNDS', 'LIMIT_EXCEEDED'].includes(code);
  result(code, text(`error${code}`), retry ? text('detailRetry') : code === 'ALREADY_PAID' ? '' : text('detailAsk'));
}

async function pay() {
  busy = true;
  byId('pay').disabled = true;
  byId('pay').textContent = text('paying');
  let refused = null;
  try {
    await call('POST', `${ORDER}/pay`, { account: byId('account').value });
  } catch (error) {
    refused = error;
  }
  try {
    order = await call('GET', ORDER);
    show();
    await loadAccounts();
    // A refusal that leaves the order open, or that the order's own state does not explain.
    if (refused !== null && (order.status === 'WAITING' || refused.code === 'ORDER_EXPIRED')) complain(refused);
    if (refused !== null && order.status === 'DECLINED') {
      result('DECLINED', text('resultDECLINED'), `${text(`error${refused.code}`)} · ${text('detailDECLINED')}`);
    }
  } catch (error) {
    complain(error);
  }
  byId('pay').disabled = false;
  byId('pay').textContent = text('pay');
  busy = false;
}

async function poll() {
  if (!busy) {
    try {
      const fresh = await call('GET', ORDER);
      const changed = order === null || order.status !== fresh.status;
      const reconnected = byId('result').dataset.status === 'NETWORK';
      order = fresh;
      if (reconnected) byId('result').hidden = true;
      if (changed || reconnected) show();
    } catch (error) {
      complain(error);
      if (error.code === 'ORDER_NOT_FOUND') return;
    }
  }
  // Refunds and reversals come late; a page that stays open shows them, at leisure.
  const lively = order === null || ['WAITING', 'PAYING'].includes(order.status);
  setTimeout(poll, lively ? POLL_MS : 5 * POLL_MS);
}

function tick() {
  if (order === null) return;
  const left = Math.max(0, Math.ceil((order.expires_at - Date.now()) / 1000));
  byId('time').textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}`;
}

byId('account').addEventListener('change', showAccount);
byId('pay').addEventListener('click', pay);
loadAccounts().catch(complain).finally(poll);
setInterval(tick, 250);
