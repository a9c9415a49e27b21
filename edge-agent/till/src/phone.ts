// The letters on a customer's page by which core confirms that a sale is paid: typed where they cannot be scanned.

import type { Press, Step } from './screen';

export interface LettersScreen {
  kind: 'letters';
  payment: string;
  keyed: string;
}

/** As many as there are, without the dash between them. */
const LETTERS_LEN = 8;

/** What they are made of: no I, L, O, U, so that none is taken for another. */
export const LETTERS = [...'0123456789ABCDEFGHJKMNPQRSTVWXYZ'];

/** Whether a scanned text is one; a keyboard with Caps Lock on turns it around. */
export function isConfirmation(text: string): boolean {
  return text.trim().toUpperCase().startsWith('SPC1:');
}

export function lettersStep(screen: LettersScreen, press: Press): Step {
  const here = (keyed: string): Step => ({ screen: { ...screen, keyed: keyed.replace(/[^0-9A-Za-z]/g, '').toUpperCase().slice(0, LETTERS_LEN) } });
  const sale = { kind: 'sale', payment: screen.payment } as const;
  switch (press.kind) {
    case 'digits':
      return here(screen.keyed + press.digits);
    case 'text':
      return here(screen.keyed + press.text);
    case 'back':
      return here(screen.keyed.slice(0, -1));
    case 'escape':
      return { screen: sale };
    case 'enter':
      if (screen.keyed.length < LETTERS_LEN) return { screen, hint: 'code_short' };
      return { screen: sale, wish: { kind: 'act', payment: screen.payment, action: 'confirm', body: { letters: screen.keyed } } };
    default:
      return { screen };
  }
}
