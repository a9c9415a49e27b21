// The texts of the room of static codes in English; static-codes.zh.ts must have the same shape.

export const staticCodesEn = {
  title: 'Static codes', one: 'Static code', none: 'No codes yet', make: 'Make a code',
  hint: 'One printed code for a small stall: whoever scans it, with whichever app, keys in the amount and pays in that app’s own way.',
  store: 'Store', terminal: 'Terminal beside it (a note)', noTerminal: 'None in particular', label: 'Label', labelHint: 'Where it lies, for your own people',
  min: 'Least amount', max: 'Largest amount', bounds: 'One payment', made: 'Made', revoked: 'Revoked', inForce: 'In force',
  badAmount: 'Type an amount in this currency', minHint: 'Leave it empty for none',
  announce: 'Announce', announcedAt: 'Announced at', nowhere: 'Nowhere',
  announceHint: 'A terminal of this store: it says and shows each payment through the code. Its program must be of this release or later.',
  show: 'Show and print', print: 'Print', scanToPay: 'Scan to pay', save: 'Save as',
  revoke: 'Revoke', revokeText: 'Whoever scans it from now on reads that it is no longer in use. What is being paid through it goes on. This cannot be undone.',
  keep: 'Leave it as it is', asked: 'Make a code',
};
