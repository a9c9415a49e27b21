// What the stand-in agent of agent.mjs knows of a counter: shifts, split payments, a basket of one catalogue, and a card reader that waits.
// It keeps to TILL-API.md. Of a split, parts go back one by one at once; of a basket, lines are counted and taken out.

const CATALOGUE = new Map([
  ['6901234567892', { name: '茉莉花茶 Jasmine tea', price_minor: 350 }],
  // For a kilogram.
  ['4006381333931', { name: '苹果 Apples', price_minor: 1_280, goods: 'gds_apples' }],
]);
/** As customers' codes are, so that what is no goods may be one. */
const MAY_PAY = /^(?:1[0-9]|2[5-9]|62)\d{14,22}$/;
const LINES_MAX = 100;

/** `sales`: the agent's own, by number. `emit`: tells the pages. `problem`: a refusal. `undo`: a part goes back. */
export function counter({ sales, emit, problem, undo, decimal }) {
  let shift = null;
  let hasBeenOne = false;
  const splits = new Map();
  let basket = null;
  let revision = 0;
  let card = null;

  const sum = (list) => ({ count: list.length, minor: list.reduce((all, { amount_minor }) => all + amount_minor, 0) });
  const inShift = () => [...sales.values()].filter((sale) => sale.batch === shift.batch);
  const methodTotals = (method) => {
    const mine = inShift().filter((sale) => sale.method === method && !['presenting', 'pending', 'unknown', 'cancelled'].includes(sale.state));
    const back = mine.filter(({ refunded_minor }) => refunded_minor > 0).map(({ refunded_minor, state }) => ({ amount_minor: refunded_minor, state }));
    return { sales: sum(mine), refunds: sum(back.filter(({ state }) => state !== 'voided')), voids: sum(back.filter(({ state }) => state === 'voided')) };
  };
  const totals = () => ({
    cash: methodTotals('cash'), merchant_presented: methodTotals('code'), customer_presented: methodTotals('scan'), card: methodTotals('card'),
    paid_in: sum(shift.moved.filter(({ way }) => way === 'in')), paid_out: sum(shift.moved.filter(({ way }) => way === 'out')),
    under_way: sum([]), elsewhere: sum([]),
  });
  const shiftView = () => {
    if (shift === null) return null;
    const { moved: _, ...told } = shift;
    return told;
  };
  const told = (status) => {
    emit('shift', shiftView());
    emit('state');
    return [status, shiftView()];
  };

  function ofShift(action, body, held) {
    const open = shift !== null && shift.closed === undefined ? shift : null;
    if (action === 'reprint') return shift?.closed === undefined ? problem(404, 'no_report') : [200, shiftView()];
    if (action === 'open') {
      if (open !== null) return problem(409, 'shift_open');
      if (!Number.isSafeInteger(body.float_minor) || body.float_minor < 0) return problem(422, 'amount_invalid');
      shift = {
        batch: (shift?.batch ?? 0) + 1, cashier: body.cashier || 'Till', cashier_number: body.cashier_number ?? '', currency: 'CNY',
        float_minor: body.float_minor, opened_at: Date.now(), moved: [],
      };
      hasBeenOne = true;
      return told(201);
    }
    if (open === null) return problem(409, 'no_shift');
    if (body.batch !== open.batch) return problem(409, 'other_shift');
    if (action !== 'close') {
      if (!(body.amount_minor > 0)) return problem(422, 'amount_invalid');
      if (typeof body.reason !== 'string' || body.reason.trim() === '') return problem(422, 'reason_invalid');
      open.moved.push({ way: action === 'paid-in' ? 'in' : 'out', amount_minor: body.amount_minor });
      return told(200);
    }
    if (inShift().some(({ settled }) => !settled) || [...splits.values()].some((split) => splitView(split).state === 'open')) return problem(409, 'shift_busy');
    const left = [...held.keys()];
    if (left.some((number) => !(body.drop_held ?? []).includes(number))) return problem(409, 'held_left');
    held.clear();
    const all = totals();
    const { sales: sold, refunds, voids } = all.cash;
    const expected_minor = open.float_minor + sold.minor - refunds.minor - voids.minor + all.paid_in.minor - all.paid_out.minor;
    open.closed = {
      at: Date.now(), expected_minor, counted_minor: body.counted_minor, over_short_minor: body.counted_minor - expected_minor,
      totals: all, in_doubt: [], report: 'printed',
    };
    return told(200);
  }

  function splitView(split) {
    const parts = split.parts.map((payment) => sales.get(payment));
    const paid_minor = parts.reduce((all, { paid, amount_minor, refunded_minor }) => all + (paid ? amount_minor - refunded_minor : 0), 0);
    const in_the_way = parts.find(({ settled }) => !settled)?.payment;
    const rest_minor = split.total_minor - paid_minor;
    split.was_paid ||= rest_minor === 0;
    const state = split.is_given_back ? 'given_back' : split.was_paid ? 'paid' : 'open';
    return {
      number: split.number, state, total_minor: split.total_minor, total: decimal(split.total_minor), paid_minor, rest_minor, currency: 'CNY',
      ...(in_the_way !== undefined && { in_the_way }), ...(split.reference !== undefined && { reference: split.reference }), cashier: '',
      began_at: split.began_at, receipt: state === 'paid' ? 'printed' : 'none',
      parts: parts.map(({ payment, counter: number, method, state: of, amount_minor, refunded_minor, paid, refunds }) => ({
        payment, counter: number, method, state: of, amount_minor, collected_minor: paid ? amount_minor - refunded_minor : 0, refunds,
      })),
      actions: [
        ...(state === 'open' && in_the_way === undefined ? ['collect'] : []), ...(state !== 'given_back' && in_the_way === undefined ? ['give_back'] : []),
        ...(state === 'paid' ? ['reprint'] : []),
      ],
    };
  }

  /** Whether a part may be keyed, and what it is a part of. */
  function partOf({ split, amount_minor }) {
    if (split.begin !== undefined) {
      const { total_minor } = split.begin;
      return amount_minor < total_minor ? { total_minor, parts: [], began_at: Date.now() } : problem(409, 'split_amount');
    }
    const known = splits.get(split.go_on.number);
    if (known === undefined) return problem(404, 'sale_not_found');
    const view = splitView(known);
    if (view.in_the_way !== undefined) return problem(409, 'split_busy');
    if (view.rest_minor !== split.go_on.rest_minor) return problem(409, 'split_changed');
    return amount_minor <= view.rest_minor ? known : problem(409, 'split_amount');
  }

  function ofSplit(number, action) {
    const split = splits.get(number);
    if (split === undefined) return problem(404, 'sale_not_found');
    if (action === 'reprint' && splitView(split).state !== 'paid') return problem(409, 'split_over');
    if (action === 'give-back') {
      if (splitView(split).in_the_way !== undefined) return problem(409, 'split_busy');
      for (const payment of split.parts) undo(sales.get(payment));
      split.is_given_back = true;
      emit('split', splitView(split));
      emit('state');
    }
    return [200, splitView(split)];
  }

  const costs = ({ quantity, price_minor, weight_grams }) => (weight_grams === undefined ? quantity * price_minor : Math.round((price_minor * weight_grams) / 1_000));
  const basketView = () => {
    if (basket === null) return null;
    const total = basket.lines.reduce((all, line) => all + costs(line), 0);
    const lines = basket.lines.map((line) => ({ ...line, discount_minor: 0, total_minor: costs(line) }));
    return { revision, lines, ...(basket.held !== undefined && { held: basket.held }), totals: { gross_minor: total, discount_minor: 0, sale_discount_minor: 0, total_minor: total, taxes: [] } };
  };
  const changed = () => {
    revision += 1;
    if (basket?.lines.length === 0) basket = null;
    emit('state');
  };

  /** Goods that are scanned while nobody waits for a customer's code. */
  function scanned(text) {
    const goods = CATALOGUE.get(text);
    if (goods === undefined) return MAY_PAY.test(text) ? problem(409, 'scan_not_awaited') : problem(404, 'barcode_unknown');
    if (goods.goods !== undefined) return [200, { result: 'weigh', ...goods }];
    basket ??= { lines: [] };
    let line = basket.lines.findIndex(({ name, price_minor }) => name === goods.name && price_minor === goods.price_minor);
    if (line >= 0) basket.lines[line].quantity += 1;
    else line = basket.lines.push({ ...goods, quantity: 1 }) - 1;
    changed();
    return [200, { result: 'basket', scanned: { name: goods.name, line }, basket: basketView() }];
  }

  function ofBasket({ revision: seen, press }) {
    if (seen !== (basket === null ? 0 : revision)) return problem(409, 'basket_changed');
    const { other, weighed, quantity, clear } = press;
    const kilogram = [...CATALOGUE.values()].find(({ goods }) => goods !== undefined && goods === weighed?.goods);
    if (other !== undefined) {
      basket ??= { lines: [] };
      if (basket.lines.length === LINES_MAX) return problem(422, 'basket_invalid');
      basket.lines.push({ ...other });
    } else if (kilogram !== undefined && weighed.grams > 0) {
      basket ??= { lines: [] };
      basket.lines.push({ name: kilogram.name, price_minor: kilogram.price_minor, quantity: 1, weight_grams: weighed.grams });
    } else if (quantity !== undefined && basket?.lines[quantity.line] !== undefined) {
      if (quantity.quantity === 0) basket.lines.splice(quantity.line, 1);
      else basket.lines[quantity.line].quantity = quantity.quantity;
    } else if (clear !== undefined) basket = null;
    else return problem(422, 'basket_invalid');
    changed();
    return [200, { basket: basketView() }];
  }

  return {
    scanned, ofBasket, ofShift, ofSplit,
    isGoods: (text) => CATALOGUE.has(text),
    shiftView,
    basket: () => ({ basket: basketView() }),
    /** Why a sale cannot be keyed now; null if it can. */
    refuses(body) {
      if (body.method === 'cash' && hasBeenOne && shift.closed !== undefined) return problem(409, 'no_shift');
      if (body.basket !== undefined && (body.basket !== revision || basketView()?.totals.total_minor !== body.amount_minor)) return problem(409, 'basket_changed');
      const part = body.split === undefined ? null : partOf(body);
      return Array.isArray(part) ? part : null;
    },
    /** A sale was keyed: of the shift, of its split, and out of the basket. */
    keyed(sale, body) {
      if (shift !== null && shift.closed === undefined) sale.batch = shift.batch;
      if (body.basket !== undefined) {
        basket = null;
        changed();
      }
      if (body.split === undefined) return;
      const split = partOf(body);
      if (split.number === undefined) Object.assign(split, { number: sale.counter, reference: body.reference });
      splits.set(split.number, split);
      split.parts.push(sale.payment);
      sale.split = { number: split.number, part: split.parts.length, total_minor: split.total_minor };
    },
    /** After every change of a sale. */
    moved(sale) {
      if (sale.split !== undefined) emit('split', splitView(splits.get(sale.split.number)));
    },
    awaitCard(body) {
      if (card !== null) return problem(409, 'card_busy');
      card = { amount_minor: body.amount_minor, since: Date.now(), step: 'present', trouble: null, stored: false };
      emit('state');
      return [202, { awaiting_card: { amount_minor: body.amount_minor } }];
    },
    cancelCard() {
      if (card !== null) emit('card', { result: 'over', code: 'card_cancelled', detail: 'No card is waited for any more.' });
      card = null;
      emit('state');
      return [200, {}];
    },
    state: () => ({
      shift: shift === null || shift.closed !== undefined ? null : { batch: shift.batch, cashier: shift.cashier, opened_at: shift.opened_at },
      shift_required: false, basket: basketView(), catalogue_count: CATALOGUE.size, awaiting_card: card,
      splits: [...splits.values()].map(splitView).filter(({ state }) => state === 'open'),
    }),
  };
}
