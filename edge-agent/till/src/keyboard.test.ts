import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { listen } from './keyboard';
import { HOME, type Press, type Screen, step, type Wish } from './screen';
import { GAP_MS_MAX } from './wedge';

/** The store, as far as the keyboard knows it. */
const till = vi.hoisted(() => ({ screen: undefined as unknown, wishes: [] as unknown[] }));
vi.mock('./store', () => ({
  current: () => till,
  set: (change: { screen: Screen }) => {
    till.screen = change.screen;
  },
  press: (what: Press) => {
    const { screen, wish } = step(till.screen as Screen, what, []);
    till.screen = screen;
    if (wish !== undefined) till.wishes.push(wish);
  },
}));

/** An element that knows the few selectors that the keyboard asks for. */
class Field {
  value = '';
  constructor(readonly name: string, readonly attribute = '') {}
  matches(selector: string): boolean {
    return selector.split(', ').some((part) => {
      const [, name = '', without = '', attribute = ''] = /^(\w*)(?::not\(\[([\w-]+)\]\))?(?:\[([\w-]+)\])?/.exec(part) ?? [];
      return (name === '' || name === this.name) && (without === '' || without !== this.attribute)
        && (attribute === '' || attribute === this.attribute);
    });
  }
}

const REFERENCE = new Field('input', 'data-reference');
const CODE = '2812345678901234';
let heard: Map<string, (event: unknown) => void>;
let now = 0;

beforeEach(() => {
  heard = new Map();
  till.wishes = [];
  vi.useFakeTimers();
  vi.stubGlobal('Element', Field);
  vi.stubGlobal('document', { activeElement: null });
  vi.stubGlobal('window', { addEventListener: (name: string, hear: (event: unknown) => void) => heard.set(name, hear) });
  listen();
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Presses keys in a field, `gap` apart. What nobody prevents is written into the device's field, as the browser does it. */
function keys(field: Field, names: readonly string[], gap: number): void {
  for (const key of names) {
    vi.advanceTimersByTime(gap);
    now += gap;
    let isPrevented = false;
    heard.get('keydown')?.({
      key, target: field, timeStamp: now, ctrlKey: false, altKey: false, metaKey: false, isComposing: false, repeat: false,
      preventDefault: () => {
        isPrevented = true;
      },
    });
    const screen = till.screen as Screen;
    if (isPrevented || key.length > 1 || screen.kind !== 'device-form') continue;
    till.screen = { ...screen, draft: { ...screen.draft, scanner_device: (screen.draft['scanner_device'] ?? '') + key } };
  }
  vi.advanceTimersByTime(2 * GAP_MS_MAX);
  now += 2 * GAP_MS_MAX;
}

const byHand = (field: Field, ...names: string[]): void => keys(field, names, 140);
const byScanner = (field: Field, text: string, end = 'Enter'): void => keys(field, [...text, end], 5);
const SCANNED: Wish = { kind: 'scan', text: CODE };

test('a code scanned where a reference is keyed is no part of it, and its Enter confirms nothing', () => {
  const reference: Screen = { kind: 'reference', minor: 1250, keyed: 'A', held: null, to: 'hold' };
  till.screen = reference;
  byScanner(REFERENCE, CODE);
  expect(till).toEqual({ screen: reference, wishes: [SCANNED] });
  byHand(REFERENCE, '7', 'Enter');
  expect(till.wishes).toEqual([SCANNED, { kind: 'hold', body: { amount_minor: 1250, reference: 'A7' } }]);
});

test('what is pasted into a reference is cleaned, and a code pasted elsewhere is scanned', () => {
  const preventDefault = vi.fn();
  const paste = (target: Field, text: string): void => heard.get('paste')?.({ target, timeStamp: now, preventDefault, clipboardData: { getData: () => text } });
  till.screen = { kind: 'reference', minor: 1250, keyed: '', held: null, to: 'hold' };
  paste(REFERENCE, '包厢\n3');
  expect(till.screen).toMatchObject({ keyed: '包厢 3' });
  expect(preventDefault).toHaveBeenCalledOnce();
  till.screen = { kind: 'device-form', of: 'scanner', draft: {} };
  paste(new Field('input'), CODE);
  expect(till.wishes).toEqual([]);
  till.screen = HOME;
  paste(new Field('main'), CODE);
  expect(till.wishes).toEqual([SCANNED]);
});

test.each(['Enter', 'Tab'])('a code scanned into a device’s form, ended by %s, is not saved and leaves the form as it was', (end) => {
  const form: Screen = { kind: 'device-form', of: 'scanner', draft: { scanner_device: 'usb:' } };
  till.screen = form;
  byScanner(new Field('input'), CODE, end);
  expect(till).toEqual({ screen: form, wishes: [SCANNED] });
  // A list of choices goes by what is typed over it.
  byScanner(new Field('select'), CODE, end);
  expect(till).toEqual({ screen: form, wishes: [SCANNED, SCANNED] });
});

test('what a hand types into a device’s form stays, and Enter sends it', () => {
  till.screen = { kind: 'device-form', of: 'scanner', draft: {} };
  const field = new Field('input');
  byHand(field, ...'usb:0c2e');
  keys(field, [...':0b61'], 20);
  byHand(field, 'ArrowLeft', 'Enter');
  expect(till.wishes).toEqual([{ kind: 'configure', of: 'scanner', draft: { scanner_device: 'usb:0c2e:0b61' }, sure: false }]);
});
