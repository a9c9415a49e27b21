// A stand-in for core, so that the rooms' stories can be tried with nothing else running (`node tests/browser.mjs`). Its till
// takes cash. The real core is the judge: `cargo xtask test` plays the same stories against a whole shop.

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname } from 'node:path';
import { catalogue } from './core-goods.mjs';

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
const USER = { id: 'usr_1', name: 'Li Na', login: 'owner@demo.local', role: 'owner', active: true, must_change_password: false, created_at: 1 };
const TENANT = { id: 'ten_1', name: '扫码茶饮 Saoma Tea', currency: 'CNY', late_policy: 'refund', active: true, created_at: 1 };
/** Every wish is named by a key; signing in and out is none, and what is the same however often it is asked has none. */
const KEYED = /^\/v1\/(?!auth\/|quotes$|terminals\/\w+\/(?:sync-now|revoke)$)/;

export async function core(dist, password) {
  const CANTEEN = JSON.parse(await readFile(new URL('../../../plugins/canteen-rules/settings.schema.json', import.meta.url), 'utf8'));
  const payments = [];
  const refunds = [];
  const streams = new Set();
  const terminals = [
    {
      id: 'trm_1', number: 1, name: 'Till 1', store: 'sto_1', online: true, created_at: 1, enrolled_at: 2, last_seen_at: Date.now(),
      health: {
        version: '0.1.0', at: Date.now(), peripherals: [{ kind: 'printer', driver: 'simulated', state: 'ok' }],
        unsent: { count: 0, oldest_at: null, at_risk: [] },
      },
    },
  ];
  /** Entries of journals that wait for a person, and refused ones as the audit log has them. */
  const held = [];
  const refused = [];
  const hooks = [];
  const deliveries = [];
  let rules = {
    version: 1, extension: 'canteen-rules', enabled: true, refuse_on_failure: ['risk'], changed_at: Date.now(), changed_by: 'usr_1',
    settings: { staff_marker: '员工', staff_percent: 20, receipt_line: '谢谢光临 Thank you' },
  };
  let session = null;
  let tokens = 0;
  let sequence = 0;

  const emit = (kind, payment) => {
    sequence += 1;
    const data = JSON.stringify({ kind, at: payment.updated_at, payment });
    for (const stream of streams) stream.write(`id: ${sequence}\nevent: payment\ndata: ${data}\n\n`);
  };
  const sell = ({ amount_minor }) => {
    const now = Date.now();
    const id = `pay_${String(payments.length + 1).padStart(26, '0')}`;
    const payment = {
      id, order: 'ord_1', version: 1, state: 'succeeded', amount: { minor: amount_minor, currency: 'CNY' }, refunded_minor: 0,
      method: 'cash', channel: 'cash', store: 'sto_1', terminal: 'trm_1', counter: payments.length + 1, goods: [], paid_late: false,
      created_at: now, updated_at: now, paid_at: now,
    };
    payments.unshift(payment);
    emit('succeeded', payment);
    return { payment: id };
  };
  const balance = (account, minor) => ({
    account, currency: 'CNY', opening_minor: 0, debits_minor: Math.max(minor, 0), credits_minor: Math.max(-minor, 0), closing_minor: minor,
  });
  const posting = (account, minor) => ({ account, money: { minor, currency: 'CNY' } });
  const timeline = (payment) => {
    const mine = refunds.filter((refund) => refund.payment === payment.id);
    const at = payment.created_at;
    const { minor } = payment.amount;
    return {
      payment, refunds: mine,
      events: [
        { sequence: 1, kind: 'created', version: 1, actor: 'trm_1', at, data: {} },
        { sequence: 2, kind: 'succeeded', version: 1, actor: 'trm_1', at, data: { tendered_minor: minor } },
        ...mine.map((refund, idx) => ({ sequence: idx + 3, kind: 'refund_succeeded', version: idx + 2, actor: 'usr_1', at: refund.created_at, data: {}, refund: refund.id })),
      ],
      posting_sets: [
        { at, kind: 'captured', postings: [posting('cash_in_drawer', minor), posting('merchant_payable', -minor)] },
        ...mine.map((refund) => ({ at, kind: 'refund_succeeded', postings: [posting('merchant_payable', refund.amount.minor), posting('cash_in_drawer', -refund.amount.minor)] })),
      ],
    };
  };
  const tell = (endpoint, event_type) => {
    const now = Date.now();
    const sequence = deliveries.length + 1;
    const delivery = { id: `whd_${sequence}`, endpoint: endpoint.id, event: `evt_${sequence}`, event_type, state: 'succeeded', attempts: 1, created_at: now, done_at: now };
    deliveries.unshift(delivery);
    fetch(endpoint.url, { method: 'POST', headers: { 'webhook-id': delivery.event }, body: JSON.stringify({ type: event_type, data: {} }) }).catch(() => {});
    return delivery;
  };
  /** Without core's rules: whatever is told is told at once, and succeeds. */
  const webhooks = (method, [, , kind, id, action], body) => {
    if (kind === 'webhook-deliveries') {
      const delivery = deliveries.find((one) => one.id === id);
      if (delivery === undefined) return problem(404, 'not_found');
      if (action === 'replay') delivery.attempts += 1;
      const attempts = Array.from({ length: delivery.attempts }, (_, idx) => ({ number: idx + 1, at: delivery.created_at, duration_ms: 7, status: 200, body: 'thanks' }));
      return action === 'replay' ? [202, delivery] : [200, { delivery, attempts, payload: { type: delivery.event_type, data: {} } }];
    }
    if (id === undefined && method === 'GET') return [200, { items: hooks }];
    if (id === undefined) {
      const endpoint = { id: `whe_${hooks.length + 1}`, enabled: true, created_at: Date.now(), updated_at: Date.now(), ...body };
      hooks.push(endpoint);
      return [201, { endpoint, secret: `whsec_${'A'.repeat(43)}=` }];
    }
    const endpoint = hooks.find((one) => one.id === id);
    if (endpoint === undefined) return problem(404, 'not_found');
    if (action === 'deliveries') return [200, { items: deliveries.filter((one) => one.endpoint === id) }];
    if (action === 'test') {
      const { id: delivery, event } = tell(endpoint, 'webhook.test');
      return [202, { delivery, event }];
    }
    if (action === 'replay') return [202, { count: deliveries.length }];
    if (action === 'rotate-secret') {
      endpoint.previous_secret_until = Date.now() + 86_400_000;
      return [200, { endpoint, secret: `whsec_${'B'.repeat(43)}=` }];
    }
    if (method === 'DELETE') {
      hooks.splice(hooks.indexOf(endpoint), 1);
      return [204, null];
    }
    if (method === 'PATCH') Object.assign(endpoint, { enabled: body.enabled, disabled_reason: body.enabled ? undefined : 'by_person' });
    return [200, endpoint];
  };
  const ofTerminal = (method, terminal, action, query) => {
    if (terminal === undefined) return problem(404, 'not_found');
    if (action === 'held' && method === 'GET') {
      const items = held.filter((one) => one.terminal === terminal.id && one.entry.sequence > Number(query.get('cursor') ?? 0)).map(({ entry }) => entry);
      const limit = Number(query.get('limit') ?? 50);
      return [200, { items: items.slice(0, limit), ...(items.length > limit && { next_cursor: String(items[limit - 1].sequence) }) }];
    }
    if (action === 'sync-now') return terminal.revoked_at === undefined ? [202, null] : problem(409, 'terminal_revoked');
    if (action === 'revoke') return [200, Object.assign(terminal, { online: false, revoked_at: terminal.revoked_at ?? Date.now() })];
    return [201, { claim_code: 'ABCD-2345', ca_fingerprint: 'ab'.repeat(32), expires_at: Date.now() + 900_000 }];
  };
  /** The canteen's price and receipt, without core's bounds. */
  const quote = ({ amount, goods }) => {
    const { staff_marker: marker, staff_percent: percent, receipt_line: line } = rules.settings;
    const off = rules.enabled && goods.some(({ name }) => name.startsWith(marker)) ? (amount.minor * percent) / 100 : 0;
    const adjustments = off === 0 ? [] : [{ name: 'Staff discount', minor: -off }];
    return { amount: { ...amount, minor: amount.minor - off }, adjustments, receipt_lines: rules.enabled ? [line] : [], failed: [] };
  };
  const problem = (status, code) => [status, { type: `urn:${code}`, title: code, status, code, detail: `It is ${code}.` }];
  const shelf = catalogue(problem);
  /** What a key was answered, however often it comes. */
  const answers = new Map();
  const keptBy = (key, answer) => {
    if (key === undefined) return answer();
    if (!answers.has(key) || answers.get(key)[0] >= 400) answers.set(key, answer());
    return answers.get(key);
  };
  const signedIn = () => {
    tokens += 1;
    session = `t${tokens}`;
    const cookie = `saoma_refresh=${session}; Path=/v1/auth; HttpOnly; SameSite=Strict`;
    return [200, { access_token: session, token_type: 'Bearer', expires_in: 600, user: USER, tenant: TENANT }, { 'set-cookie': cookie }];
  };

  function api(method, path, body, headers, query) {
    if (path === '/v1/auth/sign-in') {
      return body.email === USER.login && body.password === password ? signedIn() : problem(401, 'sign_in_failed');
    }
    if (path === '/v1/auth/refresh') {
      return session !== null && headers.cookie === `saoma_refresh=${session}` ? signedIn() : problem(401, 'unauthenticated');
    }
    if (headers.authorization !== `Bearer ${session}`) return problem(401, 'unauthenticated');
    if (path === '/v1/auth/me') return [200, { user: USER, tenant: TENANT }];
    if (path === '/v1/auth/sign-out') {
      session = null;
      return [204, null];
    }
    if (method === 'POST' && KEYED.test(path) && headers['idempotency-key'] === undefined) return problem(400, 'idempotency_key_missing');
    if (path === '/v1/stores') return [200, { items: [{ id: 'sto_1', name: '中山路店', active: true, created_at: 1 }] }];
    if (path === '/v1/payments') return [200, { items: payments }];
    if (path === '/v1/ledger/findings') return [200, { checked_at: Date.now(), items: [] }];
    if (path === '/v1/ledger/balances') return [200, { from: 0, to: 1, time_zone: 'Etc/UTC', items: [balance('cash_in_drawer', 5), balance('merchant_payable', -5)] }];
    if (path === '/v1/ledger/statement') {
      const money = (minor) => ({ minor, currency: 'CNY' });
      const line = { booked_at: Date.now(), at: Date.now(), kind: 'captured', subject: 'pay_1', payment: 'pay_1', money: money(5), balance: money(5) };
      return [200, { opening: money(0), closing: money(5), items: [line] }];
    }
    if (path === '/v1/terminals' && method === 'GET') return [200, { items: terminals }];
    if (path === '/v1/terminals') {
      const terminal = { id: `trm_${terminals.length + 1}`, number: terminals.length + 1, online: false, created_at: Date.now(), ...body };
      terminals.push(terminal);
      return [201, terminal];
    }
    if (/^\/v1\/(goods|tax-rates)(\/|$)/.test(path)) return keptBy(headers['idempotency-key'], () => shelf.answer(method, path, body, query));
    if (path === '/v1/extensions') return [200, { items: [{ id: 'canteen-rules', version: '0.1.0', name: 'Canteen rules', rules: ['price', 'risk', 'receipt-lines'], settings_schema: CANTEEN }] }];
    if (path === '/v1/merchant-rules' && method === 'GET') return [200, rules];
    if (path === '/v1/merchant-rules') {
      if (body.version !== rules.version) return problem(409, 'changed_meanwhile');
      rules = { ...rules, ...body, version: rules.version + 1, changed_at: Date.now() };
      return [200, rules];
    }
    if (path === '/v1/quotes') return [200, quote(body)];
    if (path.startsWith('/v1/webhook-')) return webhooks(method, path.split('/'), body);
    const [, asked, deed] = /^\/v1\/terminals\/(\w+)\/(held|sync-now|revoke|claim-code)$/.exec(path) ?? [];
    if (asked !== undefined) return ofTerminal(method, terminals.find((one) => one.id === asked), deed, query);
    if (path === '/v1/audit') {
      const before = Number(query.get('before') ?? Number.MAX_SAFE_INTEGER);
      return [200, { items: refused.filter(({ sequence: number }) => number < before).reverse() }];
    }
    const [, id, action] = /^\/v1\/payments\/(\w+)\/(\w+)$/.exec(path) ?? [];
    const payment = payments.find((one) => one.id === id);
    if (payment === undefined) return problem(404, 'not_found');
    if (action === 'timeline') return [200, timeline(payment)];
    if (action === 'settlements') return [200, { items: [] }];
    const now = Date.now();
    const refund = { id: `rfd_${refunds.length}`, payment: id, version: 1, kind: 'refund', state: 'succeeded', amount: body.amount, created_at: now, updated_at: now };
    refunds.push(refund);
    Object.assign(payment, { version: payment.version + 1, state: 'partly_refunded', refunded_minor: payment.refunded_minor + body.amount.minor, updated_at: now });
    emit('refund_succeeded', payment);
    return [201, refund];
  }

  async function answer(request, response) {
    const url = new URL(request.url, 'http://127.0.0.1');
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const body = text === '' ? {} : JSON.parse(text);
    const json = ([status, content, headers = {}]) => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(content === null ? '' : JSON.stringify(content));
    };
    if (url.pathname === '/v1/stream' && request.headers.authorization === `Bearer ${session}`) {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('retry: 2000\n: welcome\n\n');
      streams.add(response);
      response.on('close', () => streams.delete(response));
    } else if (url.pathname === '/api/sales') json([201, sell(body)]);
    else if (url.pathname.startsWith('/v1/')) json(api(request.method, url.pathname, body, request.headers, url.searchParams));
    else {
      const file = extname(url.pathname) === '' ? '/index.html' : url.pathname;
      response.setHeader('content-type', TYPES[extname(file)] ?? 'application/octet-stream');
      response.end(await readFile(`${dist}${file}`));
    }
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error) => response.writeHead(500).end(String(error)));
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    terminals, held, refused,
    catalogue: shelf,
    changeRules: (settings) => {
      rules = { ...rules, version: rules.version + 1, settings: { ...rules.settings, ...settings } };
    },
    base: `http://127.0.0.1:${server.address().port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
