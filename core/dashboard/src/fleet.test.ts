import { expect, test } from 'vitest';
import type { Money, Terminal } from './api/client';
import { byRisk, fleetTotals } from './fleet';

const cny = (minor: number): Money => ({ minor, currency: 'CNY' });
const usd = (minor: number): Money => ({ minor, currency: 'USD' });

function terminal(number: number, unsent: { count: number; at_risk: Money[]; oldest_at?: number } | null, more: Partial<Terminal> = {}): Terminal {
  const health = unsent === null ? null : { version: '0.1.0', at: 1, peripherals: [], unsent: { oldest_at: null, ...unsent } };
  return { id: `ter_${number}`, number, name: `Till ${number}`, store: 'sto_1', online: true, created_at: 1, enrolled_at: 1, health, ...more };
}

const NOTHING = { count: 0, at_risk: [] };

test('what waits is summed by currency, with the oldest of all and who is not heard', () => {
  const fleet = [
    terminal(1, { count: 3, at_risk: [cny(1850), usd(100)], oldest_at: 500 }),
    terminal(2, { count: 2, at_risk: [cny(150)], oldest_at: 300 }, { online: false }),
    terminal(3, NOTHING),
    terminal(4, null, { enrolled_at: null, online: false }),
    terminal(5, { count: 7, at_risk: [cny(900)], oldest_at: 100 }, { revoked_at: 9, online: false }),
  ];
  expect(fleetTotals(fleet)).toEqual({
    count: 5, atRisk: [cny(2000), usd(100)], oldestAt: 300, unheard: 1, lost: { count: 7, atRisk: [cny(900)] },
  });
});

test('a fleet with nothing unsent has no sums and no oldest', () => {
  const none = { count: 0, atRisk: [], oldestAt: null, unheard: 0, lost: { count: 0, atRisk: [] } };
  expect(fleetTotals([])).toEqual(none);
  expect(fleetTotals([terminal(1, { count: 0, at_risk: [cny(0)] })])).toEqual(none);
});

test('whoever has the most at risk comes first, and who is shut out last', () => {
  const fleet = [
    terminal(1, NOTHING),
    terminal(2, { count: 9, at_risk: [] , oldest_at: 5 }),
    terminal(3, { count: 1, at_risk: [usd(1)], oldest_at: 5 }),
    terminal(4, { count: 1, at_risk: [cny(100)], oldest_at: 5 }),
    terminal(5, { count: 1, at_risk: [cny(2000)], oldest_at: 5 }),
    terminal(6, { count: 9, at_risk: [cny(9999)], oldest_at: 1 }, { revoked_at: 9 }),
    terminal(7, { count: 9, at_risk: [], oldest_at: 3 }),
  ];
  expect(byRisk(fleet, 'CNY').map(({ number }) => number)).toEqual([5, 4, 3, 7, 2, 1, 6]);
  expect(byRisk(fleet, 'USD').map(({ number }) => number).slice(0, 3)).toEqual([3, 4, 5]);
});
