// The texts of the room of a shop's own rules in English; rules.zh.ts must have the same shape.

export const rulesEn = {
  title: 'Shop rules', hint: 'Rules of your own for each sale: what it costs, whether it may be made, which account collects it, and what the receipt says besides. Tills follow a change within a minute.',
  package: 'Rules package', none: 'No rules package is installed. The operator lays one in, or you publish your own with “saoma plugin publish”.', noneChosen: 'No rules were chosen yet',
  on: 'In force', off: 'Switched off', enabled: 'In force for new sales', version: 'Version', changed: 'Changed', by: 'by', has: 'Decides',
  parts: { price: 'the price', route: 'which account collects', risk: 'whether a sale is made', 'receipt-lines': 'lines of the receipt' } as Record<string, string>,
  refuse: 'No sale without an answer of', refuseHint: 'If one of these gives no answer, nothing is sold; without the others the sale goes on. A till without a network, or that core does not answer in time, sells at its list price all the same.',
  settings: 'Settings', save: 'Save', saved: 'Saved. Tills follow within a minute.', problem: 'The rules cannot be asked as they are',
  gone: 'What was chosen is not installed here any more: it can be switched off, or another chosen.',
  tryIt: 'Try a sale', tryHint: 'Asks the rules that are in force now, and sells nothing.', amount: 'Amount', goods: 'Goods', goodsHint: 'The name of what is sold, as the till would say it', store: 'Store', ask: 'Ask for the price',
  price: 'Price', list: 'List price', lines: 'On the receipt', noLines: 'The receipt says nothing besides.', failed: 'Gave no answer, and was passed over',
  badAmount: 'Type an amount in this currency',
  problems: {
    changed_meanwhile: 'Somebody changed the rules since you looked. Nothing was overwritten: reload and look again.',
    plugin_missing: 'This package is not installed here any more. Reload and look again.',
    forbidden: 'Your role may not do this.',
  } as Record<string, string>,
};

/** What is wrong with a setting of a plugin. */
export const settingsEn = {
  missing: 'This is needed', url: 'A web address, such as https://pay.example.com', length: '{min} to {max} characters', whole: 'A whole number from {min} to {max}',
};
