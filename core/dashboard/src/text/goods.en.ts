// The texts of the room of goods in English; goods.zh.ts must have the same shape.

export const goodsEn = {
  title: 'Goods', list: 'Goods', hint: 'What the tills sell. Each holds its store’s goods and sells them with no network; changes reach it when it is connected.',
  add: 'Add goods', change: 'Change', save: 'Save', withdraw: 'Withdraw', back: 'Sell again', keep: 'Leave it as it is',
  none: 'No goods yet. Add them one by one, or import a table.', noneLike: 'No goods like this',
  find: 'Name or barcode', findHint: 'Type a part, or scan', look: 'Find', only: 'Which',
  onlys: { sold: 'Sold', withdrawn: 'Withdrawn', all: 'All' } as Record<string, string>, withdrawn: 'Withdrawn',
  name: 'Name', nameHint: 'It stands on receipts', price: 'Price', priceKg: 'Price of a kilogram', perKg: '/kg', badPrice: 'Type a price in this currency; 0 if it is free',
  byWeight: 'Sold by weight', byWeightHint: 'It is weighed at the till, and costs its weight.',
  barcodes: 'Barcodes', barcodesHint: 'Scan or type one, then Enter; at most 20. EAN and UPC with their check digit, or codes of your own without spaces.',
  labelHint: 'For labels of your own scale give the goods’ number alone, as it stands on the labels (the i’s of the till’s setting till.scale_labels), such as 00123.',
  wholeLabel: '{code} looks like one whole label of a scale, with its weight or price in it. Give the goods’ number alone.',
  wrongBarcode: {
    characters: '{code}: 1 to 32 letters, digits or signs, without spaces', digit: '{code}: the last digit should be {expected}; read it again',
    twice: '{code} is there twice', taken: '{code}: other goods that are sold have it; take it from them first',
  },
  tax: 'Tax', noTax: 'None', stores: 'Stores', storesHint: 'None: all stores', allStores: 'All stores',
  added: 'Added', withdrawText: 'No till sells it from then on, and its barcodes are free for others. What was sold stays as it was. You can sell it again.',
  loadAnew: 'Load it and look again',
  problems: {
    changed_meanwhile: 'Somebody has changed it since you looked. Nothing was overwritten.',
    conflict: 'Other goods that are sold have one of these barcodes. Take it from them first.',
    forbidden: 'Your role does not allow this.',
  } as Record<string, string>,
  import: 'Import', importTitle: 'Import goods', importDo: 'Import {count} goods',
  importHint: 'A table as CSV, or copied out of a spreadsheet. Its first line names the columns: name and price, and if you like barcode (several with spaces between), weight (yes: the price is of a kilogram) and tax (its name). It only adds goods, all of them or none.',
  file: 'Choose a file', table: 'Table', fileTooLarge: 'The file is too large: at most 500 lines at a time.', fileUnreadable: 'The file cannot be read.',
  noHeads: 'The first line must name the columns. Missing:', tooLong: '{count} lines are too many: at most 500 at a time. Split the table.', unused: 'Not used:',
  lines: '{count} lines', wrongLines: '{count} of them must be put right first; nothing is imported before.', line: 'Line', wrong: 'What is wrong', others: 'And {count} more lines that are right.',
  imported: '{count} goods are in the catalogue.', toList: 'To the goods', importAsked: 'Import of {count} goods, the first: {name}',
  columns: { name: 'name', price: 'price', barcode: 'barcode', weight: 'weight', tax: 'tax' },
  wrongs: {
    name: 'a name of 1 to 128 characters is needed', price: 'the price is not one, such as 12.50', weight: 'weight is yes or no', tax: 'there is no such tax, or more than one',
    quote: 'a quotation mark is not closed', cells: 'it has more cells than columns: put a name with a comma in quotation marks',
    characters: '{code}: 1 to 32 letters, digits or signs', rounded: '{code}: a spreadsheet has rounded it; make that column text and fill it anew',
    noughts: '{code}: a spreadsheet has probably taken zeros off its front; make that column text and fill it anew. A code of your own like this is added with “Add goods”.',
    digit: '{code}: the last digit should be {expected}', twice: '{code} stands in line {line} too', taken: '{code}: other goods that are sold have it',
  },
  importProblems: {
    invalid: 'Nothing was imported. What is wrong stands at its lines.', body_too_large: 'Nothing was imported: it is too much at once. Split the table.',
    forbidden: 'Your role does not allow this.',
  } as Record<string, string>,
};

export const taxesEn = {
  title: 'Taxes', hint: 'The taxes on goods. A change holds for what is sold from then on.', add: 'Add a tax', change: 'Change', save: 'Save', none: 'No taxes yet',
  name: 'Name', nameHint: 'It stands on receipts', percent: 'Percent', badPercent: '0 to 100, at most two places', included: 'Prices contain it', includedHint: 'Else it comes on top.',
  inside: 'in the price', onTop: 'on top', active: 'May be given to goods', activeHint: 'Goods that have it keep it.', inactive: 'Not for further goods',
  loadAnew: 'Load it and look again',
  problems: {
    changed_meanwhile: 'Somebody has changed it since you looked. Nothing was overwritten.', forbidden: 'Your role does not allow this.',
  } as Record<string, string>,
};
