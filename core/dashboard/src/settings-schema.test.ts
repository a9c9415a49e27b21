import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fieldsOf, read, typedOf } from './settings-schema';

const schemaOf = (plugin: string): unknown => JSON.parse(readFileSync(new URL(`../../../plugins/${plugin}/settings.schema.json`, import.meta.url), 'utf8'));

test('the canteen’s settings are a form, and what is typed into it is what was typed', () => {
  const fields = fieldsOf(schemaOf('canteen-rules'));
  expect(fields.map(({ name, kind }) => `${name} ${kind}`)).toContain('staff_percent whole');
  expect(fields[0]).toMatchObject({ name: 'staff_marker', title: 'Goods that mean staff', kind: 'text', min: 1, max: 64, isRequired: false });
  const settings = JSON.parse(readFileSync(new URL('../../../plugins/canteen-rules/settings.example.json', import.meta.url), 'utf8')) as unknown;
  expect(read(fields, typedOf(fields, settings))).toEqual({ settings, wrong: {} });
});

const SCHEMA = {
  type: 'object',
  properties: {
    name: { type: 'string', minLength: 2, maxLength: 4 },
    percent: { type: 'integer', minimum: 0, maximum: 90 },
    strict: { type: 'boolean', title: 'Strict' },
    mode: { type: 'string', enum: ['a', 'b'] },
    place: { type: 'string', format: 'uri' },
  },
  required: ['name', 'strict'],
};

test.each([
  [{}, { strict: false }, { name: { kind: 'missing' } }],
  [{ name: 'ab' }, { name: 'ab', strict: false }, {}],
  [{ name: '茶' }, { strict: false }, { name: { kind: 'length', min: 2, max: 4 } }],
  [{ name: '茶茶茶茶' }, { name: '茶茶茶茶', strict: false }, {}],
  [{ name: 'ab', percent: ' 20 ', strict: true, mode: 'b', place: 'https://a.example' }, { name: 'ab', percent: 20, strict: true, mode: 'b', place: 'https://a.example' }, {}],
  [{ name: 'ab', percent: '91' }, { name: 'ab', strict: false }, { percent: { kind: 'whole', min: 0, max: 90 } }],
  [{ name: 'ab', percent: '1.5' }, { name: 'ab', strict: false }, { percent: { kind: 'whole', min: 0, max: 90 } }],
  [{ name: 'ab', percent: '', mode: '', place: '' }, { name: 'ab', strict: false }, {}],
  [{ name: 'ab', place: 'nowhere' }, { name: 'ab', strict: false }, { place: { kind: 'url' } }],
] as const)('%j is read as it stands', (typed, settings, wrong) => {
  expect(read(fieldsOf(SCHEMA), typed)).toEqual({ settings, wrong });
});

test('what the schema does not know is not lost by somebody who looks at the form', () => {
  expect(read(fieldsOf(SCHEMA), { name: 'ab' }, { later: 1, name: 'old' })).toEqual({ settings: { later: 1, name: 'ab', strict: false }, wrong: {} });
});

test('what is no schema has no fields', () => {
  for (const none of [null, [], 'x', {}, { properties: 7 }]) expect(fieldsOf(none)).toEqual([]);
});
