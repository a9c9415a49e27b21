'use strict';
// The texts of both pages in both languages, and the few functions that both pages use.

const TEXTS = {
  zh: {
    wallet: '沙盒钱包', account: '账户', balance: '余额', code: '付款码', codeHint: '请向收银员出示，切勿截图或转发',
    refresh: '刷新', history: '账单', notReal: '这是模拟钱包，其中没有真钱。', noHistory: '还没有交易',
    expiresIn: '{s} 秒后自动更新', PAYMENT: '付款', REFUND: '退款', REVERSAL: '撤销退回',
    pay: '确认付款', paying: '正在付款…', payWith: '付款账户', subject: '商品', time: '剩余时间',
    resultPAID: '支付成功', resultPAYING: '正在确认…', resultDECLINED: '支付被拒绝', resultCLOSED: '订单已关闭',
    resultREVERSED: '订单已撤销', resultREFUNDED: '已全额退款', resultPARTLY_REFUNDED: '已部分退款',
    detailPAID: '请等收银员确认后离开。单号 {ref}', detailPAYING: '请不要关闭此页，结果马上就到。',
    detailDECLINED: '没有扣款。请换一种方式付款。', detailCLOSED: '没有扣款。请让收银员重新出码。',
    detailREVERSED: '款项已退回您的账户。单号 {ref}', detailREFUNDED: '款项已退回您的账户。单号 {ref}',
    detailPARTLY_REFUNDED: '部分款项已退回您的账户。单号 {ref}',
    errorINSUFFICIENT_FUNDS: '余额不足', errorLIMIT_EXCEEDED: '超过单笔限额', errorALREADY_PAID: '该订单已支付',
    errorORDER_CLOSED: '订单已关闭', errorORDER_EXPIRED: '订单已过期', errorORDER_NOT_FOUND: '没有这个订单',
    errorOTHER: '出错了', detailRetry: '没有扣款。可换账户再试。', detailAsk: '请让收银员重新出码。',
    errorNETWORK: '网络不通', detailNETWORK: '结果未知，请勿重复付款，页面会自动查询。', other: 'English', otherLang: 'en',
  },
  en: {
    wallet: 'Sandbox Wallet', account: 'Account', balance: 'Balance', code: 'Payment code',
    codeHint: 'Show it to the cashier. Never send it to anyone.',
    refresh: 'Refresh', history: 'History', notReal: 'A simulated wallet. There is no real money in it.',
    noHistory: 'Nothing yet', expiresIn: 'New code in {s} s', PAYMENT: 'Payment', REFUND: 'Refund', REVERSAL: 'Reversal',
    pay: 'Pay', paying: 'Paying…', payWith: 'Pay with', subject: 'For', time: 'Time left',
    resultPAID: 'Paid', resultPAYING: 'Confirming…', resultDECLINED: 'Declined', resultCLOSED: 'Order closed',
    resultREVERSED: 'Reversed', resultREFUNDED: 'Refunded', resultPARTLY_REFUNDED: 'Partly refunded',
    detailPAID: 'Wait until the cashier has seen it. Number {ref}', detailPAYING: 'Keep this page open, the result is on its way.',
    detailDECLINED: 'Nothing was taken. Pay in another way.', detailCLOSED: 'Nothing was taken. Ask the cashier for a new code.',
    detailREVERSED: 'The money is back in your account. Number {ref}', detailREFUNDED: 'The money is back in your account. Number {ref}',
    detailPARTLY_REFUNDED: 'Part of the money is back in your account. Number {ref}',
    errorINSUFFICIENT_FUNDS: 'Balance too low', errorLIMIT_EXCEEDED: 'Over the limit of one payment',
    errorALREADY_PAID: 'Already paid', errorORDER_CLOSED: 'Order closed', errorORDER_EXPIRED: 'Order expired',
    errorORDER_NOT_FOUND: 'No such order', errorOTHER: 'Something went wrong',
    detailRetry: 'Nothing was taken. Try another account.', detailAsk: 'Ask the cashier for a new code.',
    errorNETWORK: 'No connection', detailNETWORK: 'The result is unknown. Do not pay twice; this page keeps asking.',
    other: '中文', otherLang: 'zh',
  },
};

const lang = document.documentElement.lang in TEXTS ? document.documentElement.lang : 'en';
const byId = (id) => document.getElementById(id);
const text = (key, values = {}) =>
  (TEXTS[lang][key] ?? TEXTS[lang].errorOTHER).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '');

for (const element of document.querySelectorAll('[data-text]')) element.textContent = text(element.dataset.text);
byId('language').textContent = text('other');
byId('language').href = `?lang=${TEXTS[lang].otherLang}`;

/** "1234567.00" -> "¥1,234,567.00", "1.250" of KWD -> "KWD 1.250". Text in, text out: no amount ever becomes a number here. */
function money(amount, currency) {
  const sign = currency === 'CNY' ? '¥' : `${currency} `;
  const [whole, fraction] = amount.replace('-', '').split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  return `${amount.startsWith('-') ? '−' : ''}${sign}${grouped}${fraction === undefined ? '' : `.${fraction}`}`;
}

/** The answer's JSON; throws {code} with the scheme's own code, or NETWORK if there was no answer. */
async function call(method, path, body) {
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw { code: 'NETWORK' };
  }
  const answer = await response.json().catch(() => ({ code: 'OTHER' }));
  if (!response.ok) throw answer;
  return answer;
}

let accounts = [];

/** Fills the chooser, keeping what is chosen. */
async function loadAccounts() {
  accounts = await call('GET', '/wallet/api/accounts');
  const select = byId('account');
  const chosen = select.value;
  select.replaceChildren(...accounts.map((account) => new Option(account.name, account.id)));
  if (accounts.some((account) => account.id === chosen)) select.value = chosen;
  showAccount();
}

function showAccount() {
  const account = accounts.find((one) => one.id === byId('account').value);
  byId('balance').textContent = account ? money(account.balance, account.currency) : '';
  byId('avatar').textContent = account ? account.name.slice(0, 1) : '';
  byId('avatar').dataset.account = account ? account.id : '';
}
