// The stand-in's catalogue: what core.mjs answers about goods and taxes. Of core's rules it knows versions and that a barcode is of one.

const TAX = { id: 'tax_1', name: 'VAT', basis_points: 1_300, included: true, active: true, version: 1, created_at: 1 };

export function catalogue(problem) {
  const goods = [];
  const rates = [];
  let version = 0;
  const next = () => {
    version += 1;
    return version;
  };
  const holder = (code, but) => goods.find((one) => one.active && one.id !== but && one.barcodes.includes(code));
  const taken = (body, but) => (body.barcodes ?? []).findIndex((code) => holder(code, but) !== undefined);
  const conflict = (at, within = '') => ({ code: 'conflict', detail: 'It is taken.', pointer: `${within}/barcodes/${at}` });
  const refusal = (status, code, more) => {
    const [, said] = problem(status, code);
    return [status, { ...said, ...more }];
  };
  const add = (body) => {
    const one = { id: `gds_${goods.length + 1}`, barcodes: [], stores: [], by_weight: false, ...body, active: true, version: next(), created_at: goods.length, updated_at: Date.now() };
    goods.push(one);
    return one;
  };
  const list = (query) => {
    const [words, active, from] = [(query.get('search') ?? '').toLowerCase(), query.get('active'), Number(query.get('cursor') ?? 0)];
    const like = goods.filter((one) => (active === null || String(one.active) === active) && `${one.name} ${one.barcodes.join(' ')}`.toLowerCase().includes(words));
    return [200, { items: like.slice(from, from + 50), ...(like.length > from + 50 && { next_cursor: String(from + 50) }) }];
  };
  const many = ({ goods: wanted }) => {
    const errors = wanted.flatMap((one, idx) => (taken(one) < 0 ? [] : [conflict(taken(one), `/goods/${idx}`)]));
    return errors.length > 0 ? refusal(422, 'invalid', { errors }) : [201, { ids: wanted.map(add).map(({ id }) => id) }];
  };
  const change = (id, body) => {
    const one = goods.find((held) => held.id === id);
    if (one === undefined) return problem(404, 'not_found');
    if (one.version !== body.version) return problem(409, 'changed_meanwhile');
    if (body.active && taken(body, id) >= 0) return refusal(409, 'conflict', conflict(taken(body, id)));
    return [200, Object.assign(one, { tax_rate: undefined }, body, { version: next() })];
  };

  return {
    goods,
    /** As somebody else at another browser. */
    change: (id, what) => Object.assign(goods.find((one) => one.id === id), what, { version: next() }),
    answer(method, path, body, query) {
      const [, , kind, id] = path.split('/');
      if (kind === 'tax-rates') {
        if (method === 'GET') return [200, { items: rates }];
        if (method === 'POST') return [201, rates[rates.push({ ...TAX, ...body, id: `tax_${rates.length + 1}`, version: next() }) - 1]];
        return [200, Object.assign(rates.find((one) => one.id === id), body, { version: next() })];
      }
      if (id === 'import') return many(body);
      if (method === 'PUT') return change(id, body);
      if (id !== undefined) return [200, goods.find((one) => one.id === id)];
      if (method === 'GET') return list(query);
      return taken(body) < 0 ? [201, add(body)] : refusal(409, 'conflict', conflict(taken(body)));
    },
  };
}
