// A stand-in for the agent with the wallet behind it, so that the page's stories can be tried with nothing else running
// (`node tests/browser.mjs`). It keeps to TILL-API.md and knows one wallet, which always pays. The real agent is the judge:
// `cargo xtask test` plays the same stories against a whole shop.

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname } from 'node:path';
import { counter as counterOf } from './agent-counter.mjs';

/** As the agent takes a code: a line of it, and no longer than any is. */
const isCode = (text) => text.length >= 1 && text.length <= 512 && !/\p{Cc}/u.test(text.trim());

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

export async function agent(dist) {
  const sales = new Map();
  const answered = new Map();
  const streams = new Set();
  const link = { online: true, mqtt: true, https: true };
  /** Put aside, by number: on the disk, unlike training, which ends with the agent. */
  const held = new Map();
  const quotes = new Map();
  /** Paid through printed codes, newest first. */
  const received = [];
  let heldNumber = 0;
  let training = null;
  const played = new Map();
  let awaiting = null;
  /** The agent ends as soon as it has made the next sale of a scan, before it says so. */
  let crashes = false;
  /** What lies on the scale; null: there is none. */
  let scale = null;
  /** The channel gives no answer to what is scanned now. */
  let isSilent = false;
  let display = { kind: 'idle', merchant_name: '扫码茶饮' };
  let counter = 0;
  let base = '';

  const state = () => ({
    version: '0.1.0', till: { merchant_name: '扫码茶饮', store_name: '中山路店', terminal_name: 'Till 1' }, currency: 'CNY',
    minor_digits: 2, cashier: '', link, unsent: unsent(), sync: { head: counter, through: counter, stopped: null },
    disk: { ok: true, detail: '' }, awaiting_scan: awaiting && { amount_minor: awaiting.body.amount_minor, since: Date.now() },
    training, held: [...held.values()], rules: true, received, ...desk.state(),
    open_sales: [...sales.values()].filter(({ settled }) => !settled).map(({ payment }) => payment), peripherals: [{ kind: 'printer', driver: 'simulated', state: 'ok' }, { kind: 'card_reader', driver: 'software', state: 'ok' }], alarms: [], now: Date.now(),
  });
  const options = { card_reader: 'software', scanner: 'none', scanner_device: '/dev/ttyACM0', scanner_baud: 9600, printer: 'escpos-tcp', printer_address: '' };
  let found = [];
  const devices = () => ({
    devices: ['printer', 'drawer', 'display', 'scanner', 'scale', 'speaker', 'card_reader'].map((kind) => ({
      kind, driver: options[kind] ?? 'none', place: options[`${kind}_device`] ?? null, detail: '', trouble: null, since: Date.now(),
      state: (options[kind] ?? 'none') === 'none' ? 'none' : 'ok', last_used_at: null, last_error: null,
    })),
    connected: [{
      bus: 'keyboard', place: '/dev/input/by-id/usb-Honeywell-event-kbd', name: 'Honeywell', used_by: [],
      fits: [{ kind: 'scanner', driver: 'evdev' }],
    }, ...found],
    drivers: [
      { kind: 'printer', name: 'escpos-tcp', place: 'printer_address', options: [] },
      { kind: 'scanner', name: 'serial', place: 'scanner_device', options: ['scanner_baud'] },
      { kind: 'scanner', name: 'evdev', place: 'scanner_device', options: [] }, { kind: 'scanner', name: 'none', options: [] },
    ],
    settings: {
      file: '/etc/saoma-edge.toml', version: 'one', locked: null, broken: null, pending: [],
      options: Object.entries(options).map(([name, value]) => ({ name, value, variable: null })),
    },
  });
  const unsent = () => {
    const left = [...sales.values()].filter((sale) => !sale.synced);
    const minor = left.reduce((sum, sale) => sum + sale.amount_minor, 0);
    return { count: left.length, oldest_at: null, at_risk: left.length === 0 ? [] : [{ minor, currency: 'CNY' }] };
  };
  const emit = (name, data = state()) => {
    for (const stream of streams) stream.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  };
  const view = (sale) => {
    const left = sale.amount_minor - sale.refunded_minor;
    if (sale.elsewhere) return Object.assign(sale, { settled: true, paid: left > 0, actions: left > 0 ? ['refund'] : [], updated_at: Date.now() });
    sale.settled = !['presenting', 'pending', 'unknown'].includes(sale.state);
    sale.paid = ['succeeded', 'partly_refunded'].includes(sale.state);
    sale.actions = [
      ...(sale.method === 'cash' ? [] : ['query']), ...(sale.settled || sale.cancelling ? [] : ['cancel']),
      ...(sale.state === 'succeeded' ? ['void'] : []), ...(sale.paid && left > 0 ? ['refund'] : []),
      ...(sale.paid && sale.split === undefined ? ['reprint'] : []),
    ];
    sale.updated_at = Date.now();
    return sale;
  };
  const change = (sale, facts) => {
    Object.assign(sale, facts);
    emit(played.has(sale.payment) ? 'training_sale' : 'sale', view(sale));
    desk.moved(sale);
    show(sale);
    emit('state', state());
    return sale;
  };
  const show = (sale) => {
    const money = { amount: sale.amount, currency: 'CNY' };
    const message = { succeeded: 'paid', cancelled: 'cancelled', voided: 'refunded' }[sale.state];
    if (played.has(sale.payment)) display = { kind: 'training', message: message ?? 'show_your_code', ...money };
    else if (sale.state === 'presenting') {
      const svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 21 21"><path d="M0 0h7v7h-7z"/></svg>';
      display = { kind: 'code', payment: sale.payment, ...money, code_url: sale.code_url, expires_at: sale.expires_at, svg };
    } else if (message !== undefined) display = { kind: 'message', message, ...money };
    emit('display', display);
  };
  /** The third sale of the till beside this one. */
  const theirs = {
    payment: `pay_${'t'.repeat(25)}a`, counter: 3, method: 'scan', elsewhere: true, amount_minor: 1880, refunded_minor: 0, currency: 'CNY', amount: '18.80',
    cancelling: false, paid_late: false, synced: true, receipt: 'none', refunds: [], cashier: 'Wu', keyed_at: Date.now(), state: 'succeeded',
  };
  const decimal = (minor) => `${Math.floor(minor / 100)}.${String(minor % 100).padStart(2, '0')}`;
  const sell = (body) => {
    const number = training === null ? counter + 1 : played.size + 1;
    if (training === null) counter = number;
    const sale = {
      payment: training === null ? `pay_${String(number).padStart(26, '0')}` : `training_${number}`, counter: number,
      method: body.method, amount_minor: body.amount_minor, refunded_minor: 0, currency: 'CNY', amount: decimal(body.amount_minor),
      cancelling: false, paid_late: false, synced: training !== null || link.online, receipt: 'printed', refunds: [],
      keyed_at: Date.now(), state: body.method === 'code' ? 'presenting' : body.method === 'scan' && isSilent && training === null ? 'unknown' : 'succeeded',
    };
    if (body.reference !== undefined) sale.reference = body.reference;
    if (body.quote !== undefined) sale.quote = quotes.get(body.quote);
    held.delete(body.held);
    if (body.method === 'cash') {
      sale.tendered_minor = body.tendered_minor ?? body.amount_minor;
      sale.change_minor = sale.tendered_minor - sale.amount_minor;
    }
    if (body.method === 'code') {
      sale.code_url = `${base}/c/${sale.payment}`;
      sale.expires_at = Date.now() + 120_000;
    }
    (training === null ? sales : played).set(sale.payment, sale);
    if (training === null) desk.keyed(view(sale), body);
    return change(sale, {});
  };
  /** The shop's rules: a fifth off one amount, no answer to another, a refusal of a third, and the list price for all else. */
  const quoted = ({ amount_minor }) => {
    if (amount_minor === 6666) return { quote: null, why: 'slow' };
    if (amount_minor === 7777) return { quote: null, why: 'refused' };
    const off = amount_minor === 5555 ? 1111 : 0;
    const quote = {
      id: `quo_${String(amount_minor).padStart(26, 'a')}`, amount_minor: amount_minor - off, amount: decimal(amount_minor - off), list_minor: amount_minor,
      adjustments: off === 0 ? [] : [{ name: 'Staff discount', minor: -off }], receipt_lines: ['谢谢光临 Thank you'], failed: [],
    };
    quotes.set(quote.id, quote);
    return { quote, why: null };
  };
  const problem = (status, code) => [status, { type: `urn:${code}`, title: code, status, code, detail: `It is ${code}.` }];

  function act(sale, action, body) {
    if (action !== 'query' && !view(sale).actions.includes(action)) {
      return action === 'refund' ? problem(409, 'refund_exceeds') : problem(409, 'not_now');
    }
    // Nobody knows yet whether it is paid: the wish is kept, and the channel's word decides.
    if (sale.state === 'unknown' && isSilent) return [200, change(sale, { cancelling: action === 'cancel' || sale.cancelling })];
    if (sale.state === 'unknown') return [200, change(sale, { state: 'succeeded', cancelling: false })];
    if (action === 'cancel') return [200, change(sale, { state: 'cancelled' })];
    if (action === 'void') return [200, change(sale, { state: 'voided', refunded_minor: sale.amount_minor })];
    if (action === 'refund') {
      const refunded_minor = sale.refunded_minor + body.amount_minor;
      if (refunded_minor > sale.amount_minor) return problem(409, 'refund_exceeds');
      return [200, change(sale, { refunded_minor, state: refunded_minor === sale.amount_minor ? 'refunded' : 'partly_refunded' })];
    }
    return [200, view(sale)];
  }

  const desk = counterOf({ sales, emit, problem, decimal, undo: (sale) => act(sale, 'void', {}) });

  /** All connections break, and what is not on the disk is forgotten. */
  function crash() {
    crashes = false;
    awaiting = null;
    turn(null);
    server.closeAllConnections();
  }

  /** Into training, or out of it. */
  function turn(to) {
    training = to;
    played.clear();
    display = { kind: 'idle', merchant_name: '扫码茶饮' };
  }

  function hold(body) {
    if (body.held !== undefined && !held.has(body.held)) return problem(409, 'held_not_found');
    heldNumber += 1;
    const { amount_minor, reference } = body;
    const one = {
      number: heldNumber, amount_minor, amount: decimal(amount_minor), reference, cashier: '',
      held_at: held.get(body.held)?.held_at ?? Date.now(),
    };
    held.delete(body.held);
    held.set(one.number, one);
    emit('state', state());
    return [201, one];
  }

  function till(path, body, key, said) {
    const [, way] = /^\/api\/training\/(enter|leave)$/.exec(path) ?? [];
    if (way !== undefined) {
      turn(way === 'enter' ? { since: Date.now(), cashier: '' } : null);
      emit('state', state());
      return [200, state()];
    }
    if (path === '/api/quotes') return [200, quoted(body)];
    if (path === '/api/held') return training === null ? hold(body) : problem(409, 'training');
    const [, dropped] = /^\/api\/held\/(\d+)\/drop$/.exec(path) ?? [];
    if (dropped !== undefined) {
      if (!held.delete(Number(dropped))) return problem(409, 'held_not_found');
      emit('state', state());
      return [200, {}];
    }
    if (path === '/api/sales' || path === '/api/training/sales') {
      if ((path === '/api/sales') !== (training === null)) return problem(409, training === null ? 'not_training' : 'training');
      if (body.held !== undefined && !held.has(body.held)) return problem(409, 'held_not_found');
      const refusal = training === null ? desk.refuses(body) : null;
      if (refusal !== null) return refusal;
      if (body.quote !== undefined && quotes.get(body.quote)?.amount_minor !== body.amount_minor) return problem(409, 'quote_over');
      if (body.code !== undefined && !isCode(body.code)) return problem(422, 'code_invalid');
      if (body.code !== undefined && desk.isGoods(body.code)) return problem(409, 'goods_scanned');
      if (body.method === 'card' && training === null) return desk.awaitCard(body);
      if (body.method !== 'scan' || body.code !== undefined) return [201, sell(body)];
      awaiting = { body, key, said };
      emit('state', state());
      return [202, { awaiting_scan: { amount_minor: body.amount_minor } }];
    }
    if (path === '/api/scan/cancel') {
      awaiting = null;
      emit('state', state());
      return [200, {}];
    }
    if (path === '/api/scan') {
      const found = [...(training === null ? sales : played).values()].find((sale) => body.text.includes(sale.payment));
      if (found !== undefined) return [200, { result: 'found', sale: found }];
      if (training === null && body.text.includes(theirs.payment)) return [200, { result: 'found', sale: view(theirs) }];
      if (/pay_[a-z2-7]{26}/.test(body.text)) return training === null ? problem(404, 'receipt_unknown') : problem(409, 'scan_not_awaited');
      if (!isCode(body.text)) return problem(422, 'code_invalid');
      if (awaiting === null) return training === null ? desk.scanned(body.text) : problem(409, 'scan_not_awaited');
      if (desk.isGoods(body.text)) return problem(409, 'goods_scanned');
      const { body: wished, said: asked, key: asker } = awaiting;
      awaiting = null;
      const sale = sell({ ...wished, code: body.text });
      answered.set(asker, { said: asked, answer: [200, sale] });
      if (crashes) return crash();
      emit('state', state());
      return [200, { result: training === null ? 'sale' : 'training_sale', sale }];
    }
    if (path === '/api/card/cancel') return desk.cancelCard();
    if (path === '/api/basket') return training === null ? desk.ofBasket(body) : problem(409, 'training');
    const [, ofShift] = /^\/api\/shift\/(open|paid-in|paid-out|close|reprint)$/.exec(path) ?? [];
    if (ofShift !== undefined) return training === null ? desk.ofShift(ofShift, body, held) : problem(409, 'training');
    const [, split, ofSplit] = /^\/api\/splits\/(\d+)\/(give-back|reprint)$/.exec(path) ?? [];
    if (split !== undefined) return desk.ofSplit(Number(split), ofSplit);
    // The door in the network is not open here.
    if (path === '/api/paired/code') return /^\P{Cc}{1,32}$/u.test(body.name.trim()) ? problem(409, 'pairing_off') : problem(422, 'device_name_invalid');
    if (path === '/api/sync-now' || path === '/api/drawer/open') return [200, {}];
    if (path === '/api/peripherals/search') {
      const place = '192.168.1.9:9100';
      found = [{ bus: 'network', place, name: place, used_by: [], fits: [{ kind: 'printer', driver: 'escpos-tcp' }] }];
      return [200, { found: found.length }];
    }
    if (path === '/api/peripherals/settings') {
      // What is no device is set by hand, in the file.
      const place = body.changes.scanner_device ?? options.scanner_device;
      const isDevice = /^\/dev\/(?:tty|serial\/|usb\/|lp|input\/|pts\/|saoma\/)/.test(place) && !place.includes('/..');
      if (!isDevice && !/^usb:[0-9a-f]{4}:[0-9a-f]{4}$/i.test(place)) return problem(422, 'settings_invalid');
      Object.assign(options, body.changes);
      return [200, { applied: ['scanner'], hanging: [] }];
    }
    if (path.startsWith('/api/peripherals/')) return [200, { saw: 'a test slip', state: 'ok', detail: '' }];
    const [, payment, action] = /^\/api\/(?:training\/)?sales\/(\w+)\/(\w+)$/.exec(path) ?? [];
    const sale = sales.get(payment) ?? played.get(payment) ?? (payment === theirs.payment ? theirs : undefined);
    return sale === undefined ? problem(404, 'sale_not_found') : act(sale, action, body);
  }

  async function answer(request, response) {
    const url = new URL(request.url, base);
    const json = ([status, body]) => {
      response.writeHead(status, { 'content-type': status < 400 ? 'application/json' : 'application/problem+json' });
      response.end(JSON.stringify(body));
    };
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    if (url.pathname === '/api/events') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      streams.add(response);
      response.on('close', () => streams.delete(response));
      response.write(`event: state\ndata: ${JSON.stringify(state())}\n\nevent: display\ndata: ${JSON.stringify(display)}\n\n`);
    } else if (url.pathname === '/api/peripherals' && request.method === 'GET') {
      json([200, devices()]);
    } else if (url.pathname === '/api/shift' && request.method === 'GET') {
      json([200, { shift: desk.shiftView() }]);
    } else if (url.pathname === '/api/books' && request.method === 'GET') {
      json([200, { agree: true, core: {} }]);
    } else if (url.pathname === '/api/scale' && request.method === 'GET') {
      json(scale === null ? problem(503, 'peripheral_failed') : [200, scale]);
    } else if (url.pathname === '/api/basket' && request.method === 'GET') {
      json([200, desk.basket()]);
    } else if (url.pathname.startsWith('/api/splits/') && request.method === 'GET') {
      json(desk.ofSplit(Number(url.pathname.slice('/api/splits/'.length))));
    } else if (url.pathname === '/api/paired' && request.method === 'GET') {
      json([200, { listener: { state: 'off' }, devices: [], devices_max: 16, offer: null, trouble: null }]);
    } else if (url.pathname === '/api/sales' && request.method === 'GET') {
      json([200, { items: [...sales.values()].reverse() }]);
    } else if (url.pathname === '/api/training/sales' && request.method === 'GET') {
      json([200, { items: [...played.values()].reverse() }]);
    } else if (url.pathname.startsWith('/api/') && request.method === 'POST') {
      const key = request.headers['idempotency-key'];
      if (request.headers['x-saoma-till'] !== '1') json(problem(403, 'not_from_the_till'));
      else if (key === undefined) json(problem(400, 'idempotency_key_missing'));
      else {
        const said = `${url.pathname} ${text}`;
        const before = answered.get(key);
        if (before !== undefined && before.said !== said) json(problem(422, 'idempotency_key_reused'));
        else {
          const known = before?.answer[0] === 202 ? undefined : before?.answer;
          const now = known ?? till(url.pathname, JSON.parse(text), key, said);
          if (now === undefined) return;
          answered.set(key, { said, answer: now });
          json(now);
        }
      }
    } else if (url.pathname === '/network') {
      link.online = text === 'up';
      for (const sale of sales.values()) sale.synced ||= link.online;
      emit('state', state());
      json([200, {}]);
    } else if (url.pathname === '/received') {
      received.unshift(JSON.parse(text));
      emit('received', received[0]);
      emit('state', state());
      json([200, {}]);
    } else if (url.pathname === '/scale') {
      scale = JSON.parse(text);
      json([200, {}]);
    } else if (url.pathname === '/channel') {
      isSilent = text === 'silent';
      json([200, {}]);
    } else if (url.pathname === '/crash') {
      json([200, {}]);
      if (text === 'now') setTimeout(crash, 50);
      else crashes = true;
    } else if (url.pathname.startsWith('/c/')) {
      response.end(`<a id="pay-link" href="${base}/wallet/pay/${url.pathname.slice(3)}">`);
    } else if (url.pathname === '/wallet/api/accounts/alice/code') {
      json([200, { code: `28${String(Date.now()).padStart(16, '0')}` }]);
    } else if (url.pathname.startsWith('/wallet/api/orders/')) {
      json([200, change(sales.get(url.pathname.split('/')[4]), { state: 'succeeded' })]);
    } else {
      const file = { '/': '/index.html', '/display': '/display.html', '/pair': '/pair.html' }[url.pathname] ?? url.pathname;
      response.setHeader('content-type', TYPES[extname(file)] ?? 'application/octet-stream');
      response.end(await readFile(`${dist}${file}`));
    }
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error) => response.writeHead(500).end(String(error)));
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  base = `http://127.0.0.1:${server.address().port}`;
  return { base, close: () => server.closeAllConnections() ?? server.close() };
}
