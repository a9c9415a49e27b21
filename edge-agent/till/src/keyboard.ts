// The keyboard's keys as presses; a scanner that types is told from a person's hand by the wedge.

import type { Draft } from './devices';
import type { FunctionKey, Press } from './screen';
import { fillIn } from './device-store';
import { current, press } from './store';
import { CODE_LEN_MAX, CODE_LEN_MIN, type Wedge, wedge } from './wedge';

export const FUNCTION_KEYS: readonly (readonly [string, FunctionKey])[] = [
  ['F1', 'sale'], ['F2', 'code'], ['F3', 'void'], ['F4', 'query'], ['F5', 'refund'], ['F6', 'reprint'],
  ['F7', 'shift'], ['F8', 'hold'],
];

const PLAIN: Readonly<Record<string, Press>> = {
  Enter: { kind: 'enter' },
  Escape: { kind: 'escape' },
  Backspace: { kind: 'back' },
  ArrowUp: { kind: 'up' },
  ArrowDown: { kind: 'down' },
  Delete: { kind: 'function', key: 'cancel' },
  F9: { kind: 'info' },
  F10: { kind: 'training' },
  F12: { kind: 'language' },
  Insert: { kind: 'function', key: 'acknowledge' },
  End: { kind: 'function', key: 'confirm' },
  ...Object.fromEntries(FUNCTION_KEYS.map(([key, name]) => [key, { kind: 'function', key: name } as const])),
};

function pressOf(key: string): Press | undefined {
  if (/^\d$/.test(key)) return { kind: 'digits', digits: key };
  return key.length === 1 ? { kind: 'text', text: key } : PLAIN[key];
}

function pressKey(key: string, at: number): void {
  const what = pressOf(key);
  if (what !== undefined) press(what, 'key', at);
}

function pressScan(text: string): void {
  press({ kind: 'scanned', text }, 'key', performance.now());
}

/**
 * For the fields of a form. What is typed there is in the field at once; once it turns out to be a scanner's, the form is put
 * back as it was before, and the Enter at the code's end sends nothing.
 */
function formWedge(): Wedge {
  let before: Draft | null = null;
  const keys = wedge(
    (key, at) => {
      before = null;
      if (key.length > 1) pressKey(key, at);
    },
    (text) => {
      if (before !== null) fillIn(before);
      before = null;
      pressScan(text);
    },
  );
  return {
    key(key, at) {
      if (!keys.pending()) before = null;
      keys.key(key, at);
      const { screen } = current();
      if (key.length === 1 && before === null && screen.kind === 'device-form') before = screen.draft;
    },
    pending: keys.pending,
  };
}

/** Whether what is typed there is the field's own; the reference's is only for input methods, and its keys are the screen's. */
function isOfForm(target: EventTarget | null): boolean {
  return target instanceof Element && target.matches('input:not([data-reference]), select, option');
}

export function listen(): void {
  const screenKeys = wedge(pressKey, pressScan);
  const formKeys = formWedge();
  // A tap leaves no focus behind: the next Enter is for the screen, not for the button that was tapped last.
  window.addEventListener('mousedown', (event) => {
    const isReference = event.target instanceof Element && event.target.matches('[data-reference]');
    if (!isReference && !isOfForm(event.target)) event.preventDefault();
  });
  window.addEventListener('paste', (event) => {
    if (isOfForm(event.target)) return;
    const text = event.clipboardData?.getData('text/plain').trim() ?? '';
    if (['reference', 'pair-name'].includes(current().screen.kind)) {
      event.preventDefault();
      return press({ kind: 'text', text }, 'key', event.timeStamp);
    }
    if (text.length >= CODE_LEN_MIN && text.length <= CODE_LEN_MAX) press({ kind: 'scanned', text }, 'key', event.timeStamp);
  });
  window.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    // A key held down is one press; only correcting may go on.
    if (event.repeat && event.key !== 'Backspace') return event.preventDefault();
    const isForm = isOfForm(event.target);
    const keys = isForm ? formKeys : screenKeys;
    // What is typed into a form is the form's; what ends it or leads away is the screen's.
    if (isForm && event.key.length === 1) return keys.key(event.key, event.timeStamp);
    if (isForm && !/^(Enter|Escape|F\d+)$/.test(event.key) && !(event.key === 'Tab' && keys.pending())) return;
    // Somebody who walks through the buttons by Tab presses the one they are on.
    const walking = document.activeElement?.matches('button:focus-visible') === true && !keys.pending();
    if (walking && (event.key === 'Enter' || event.key === ' ')) return;
    const scannersTab = event.key === 'Tab' && keys.pending();
    if (event.key.length > 1 && PLAIN[event.key] === undefined && !scannersTab) return;
    event.preventDefault();
    keys.key(event.key, event.timeStamp);
  });
}
