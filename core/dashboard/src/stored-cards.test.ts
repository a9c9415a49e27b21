import { expect, it } from 'vitest';
import { readCardLimit, readCardRules, readPrefixes, typedCardRules } from './stored-cards';

const RULES = {
  sale_minor_max: 20_000, card_day_count_max: 3, card_day_minor_max: 40_000, unsent_minor_max: 500_000, unsent_count_max: 100,
  unsent_hours_max: 24, list_hours_max: 24, stripe: false, prefixes: ['62', '4012'],
};

it('reads back what it shows', () => {
  const typed = typedCardRules(RULES, 'CNY');
  expect(typed.sale_minor_max).toBe('200.00');
  expect(typed.prefixes).toBe('62 4012');
  expect(readCardRules(typed, 'CNY')).toEqual(RULES);
});

it('knows what is no rule', () => {
  const typed = typedCardRules(RULES, 'CNY');
  for (const wrong of [
    { sale_minor_max: '0' }, { sale_minor_max: '400.01' }, { card_day_count_max: '1001' }, { unsent_hours_max: '169' }, { unsent_count_max: '1.5' },
    { prefixes: '' }, { prefixes: '6' }, { prefixes: '62 62x' }, { prefixes: Array.from({ length: 51 }, () => '62').join(' ') },
  ]) {
    expect(readCardRules({ ...typed, ...wrong }, 'CNY')).toBeNull();
  }
  expect(readCardLimit('card_day_count_max', '1000', 'CNY')).toBe(1_000);
  expect(readPrefixes('62, 4012、 88')).toEqual(['62', '4012', '88']);
});
