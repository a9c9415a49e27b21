// All texts in English; zh.ts must have the same shape.

import { fleetEn } from './fleet.en';
import { goodsEn, taxesEn } from './goods.en';
import { pluginsEn } from './plugins.en';
import { reconEn } from './recon.en';
import { rulesEn, settingsEn } from './rules.en';
import { staticCodesEn } from './static-codes.en';
import { storedCardsEn } from './stored-cards.en';
import { storedValueEn } from './stored-value.en';

export const en = {
  language: 'English',
  product: 'Saoma',
  rooms: {
    payments: 'Payments', terminals: 'Terminals', goods: 'Goods', cashiers: 'Cashiers', batches: 'Batches', reconciliation: 'Reconciliation', books: 'Trial balance',
    webhooks: 'Webhooks', plugins: 'Plugins', storedValue: 'Stored value', staticCodes: 'Static codes', rules: 'Shop rules',
  },
  shell: {
    live: 'Live', connecting: 'Connecting…', broken: 'No connection. Trying again…', signOut: 'Sign out',
    switchLanguage: '切换到中文', dark: 'Dark', light: 'Light', menu: 'Menu',
    noRooms: 'No room here is for your role. Sign in as somebody else.',
  },
  common: {
    retry: 'Try again', close: 'Close', cancel: 'Cancel', copy: 'Copy', copied: 'Copied', more: 'Show more',
    loading: 'Loading…', name: 'Name', created: 'Created', updated: 'Changed',
    never: 'never', reload: 'Reload', you: 'you',
  },
  problem: {
    offlineTitle: 'No connection to the server',
    offlineDetail: 'What you asked for may or may not have arrived. Trying again is safe.',
    unexpectedTitle: 'Something went wrong on this page',
    trace: 'Trace id for support',
    notFoundTitle: 'Not found',
    notFoundDetail: 'This page does not exist.',
  },
  unanswered: {
    title: 'No answer yet', again: 'Ask again', another: 'A new one', aside: 'Put aside',
    hint: 'It may or may not be done. Ask again: it is done once at most, and you are told what became of it. A new one comes on top of it. Put it aside only when you have looked what is there.',
    asAsked: 'This had no answer. It is asked again as it was, and done once at most.',
    anotherHint: 'One before had no answer and may be done. This is another one and comes on top of it.',
  },
  signIn: {
    unfinished: 'Signing out is not finished',
    unfinishedHint: 'The server could not be reached: whoever uses this browser next would be let in. Try again before you leave.',
    title: 'Sign in', email: 'Email', password: 'Password', submit: 'Sign in',
    first: 'Choose your password', firstHint: 'You signed in with a one-time password. Choose your own to go on.',
    newPassword: 'New password', again: 'New password again', change: 'Change password',
    tooShort: 'At least 12 characters', different: 'The two are not the same', sameAsOld: 'Choose another one than the one-time password',
  },
  states: {
    created: 'Created', presenting: 'Code on show', submitting: 'Being sent', pending: 'Customer confirms', unknown: 'Unknown',
    succeeded: 'Paid', partly_refunded: 'Partly refunded', refunded: 'Refunded', voided: 'Voided', failed: 'Failed',
    reversed: 'Reversed', expired: 'Expired', cancelled: 'Cancelled',
  },
  refundStates: {
    submitting: 'Being sent', pending: 'Under way', unknown: 'Unknown', succeeded: 'Done', failed: 'Failed',
  },
  refundKinds: { refund: 'Refund', void: 'Void', late: 'Late payment returned' },
  methods: {
    merchant_presented: 'Shop’s code', customer_presented: 'Customer’s code', card: 'Card', cash: 'Cash',
  },
  payments: {
    all: 'All states', filter: 'State', title: 'Live payments', time: 'Time', amount: 'Amount', state: 'State', method: 'How', channel: 'Channel', store: 'Store',
    attention: 'Needs a person',
    terminal: 'Terminal', reference: 'Reference', number: 'Number', late: 'paid late', none: 'No payments yet',
    noneHint: 'A sale appears here the moment it is keyed in.', noneFiltered: 'No payments like this',
  },
  payment: {
    title: 'Payment', facts: 'Facts', timeline: 'What happened', postings: 'Ledger', refunds: 'Refunds and voids',
    refunded: 'Given back or on its way', disputed: 'In dispute or lost', left: 'Left', order: 'Order', version: 'Version', channelReference: 'Channel’s number',
    counter: 'Sale number', cashier: 'Cashier', goods: 'Goods', code: 'Code', expires: 'Code expires', paidAt: 'Paid', failure: 'Why it failed',
    lateNote: 'The channel confirmed this payment after it had been closed.',
    unknownNote: 'The channel has not answered. Saoma keeps asking; please do not collect again meanwhile.',
    feePlan: 'Fee plan version', noPostings: 'No money has moved', noRefunds: 'Nothing was given back', debit: 'Debit', credit: 'Credit', account: 'Account',
    by: 'by', details: 'Details', quantity: '×', weightKeyed: 'weight keyed by hand', reason: 'Reason',
  },
  actions: {
    query: 'Ask the channel', cancel: 'Cancel', void: 'Void', refund: 'Refund',
    cancelTitle: 'Cancel this payment?', cancelText: 'The code stops working. If the customer has paid already, the payment stays or goes back, but is never lost.',
    voidTitle: 'Void this payment?', voidText: 'The whole amount goes back to the customer. This works on the day of the payment only.',
    refundTitle: 'Refund', refundAmount: 'Amount', refundReason: 'Reason (optional)', refundMax: 'At most', badAmount: 'Type an amount, at most what is left',
    keep: 'Keep it',
  },
  terminals: {
    title: 'Terminals', add: 'Add a terminal', online: 'Online', offline: 'Offline', unclaimed: 'Waiting to be claimed', revoked: 'Revoked',
    version: 'Version', lastSeen: 'Last seen', unsent: 'Unsent', oldest: 'Oldest', atRisk: 'Money at risk', peripherals: 'Peripherals',
    store: 'Store', claim: 'Claim code', none: 'No terminals yet', noneHint: 'Add one, then type its claim code into the terminal.',
    claimTitle: 'Claim this terminal', claimText: 'Type this code into the terminal. It works once. The terminal compares the fingerprint, so that it talks to this server and no other.',
    claimExpires: 'Valid until', fingerprint: 'CA fingerprint (SHA-256)', create: 'Add', state: 'State', newTitle: 'Add a terminal', health: 'as of',
    newClaim: 'New claim code', claimOld: 'An earlier code stops working.', noHealth: 'No report yet',
  },
  cashiers: {
    title: 'Cashiers', add: 'Add a cashier', change: 'Change', save: 'Save', none: 'No active cashiers: at the tills any name opens a shift',
    hint: 'Who signs on at the tills with a staff code and a PIN, also with no network. Changes reach a till when it is connected.',
    name: 'Name on receipts', staffCode: 'Staff code', staffCodeHint: '1 to 8 digits; typed at the till before the PIN', role: 'At the till',
    roles: { cashier: 'Cashier', supervisor: 'Supervisor' }, stores: 'Stores', storesHint: 'None: all stores', allStores: 'All stores',
    pin: 'PIN', pinHint: '4 to 8 digits, not such as 1111, 1212 or 1234', newPin: 'Set PIN', pinSet: 'PIN set', inactive: 'Not active',
    deactivate: 'Deactivate', activate: 'Activate', supervised: 'Refunds and voids at the till need a supervisor’s PIN',
  },
  peripherals: {
    printer: 'Printer', scanner: 'Scanner', display: 'Display', drawer: 'Drawer', card_reader: 'Card reader', speaker: 'Speaker',
  } as Record<string, string>,
  peripheralStates: { ok: 'works', warning: 'wants attention', failed: 'does not work' },
  batches: {
    title: 'Batches', day: 'Day', none: 'No shifts yet', number: 'Batch', terminal: 'Terminal', cashier: 'Cashier', opened: 'Opened',
    closed: 'Closed', expected: 'Cash expected', counted: 'Cash counted', difference: 'Difference', open: 'open', differences: 'differences',
    balanced: 'balanced', over: 'over', short: 'short', drawer: 'Drawer', float: 'Float', cashSales: 'Cash sales', givenBack: 'Cash given back',
    paidIn: 'Paid in', paidOut: 'Paid out', channel: 'Channel', cash: 'Cash', sales: 'Sales', refunds: 'Refunds', voids: 'Voids',
    leg: 'The terminal’s journal against core', agree: 'Nothing differs', core: 'Core', over_now: 'agrees now', accept: 'It was looked for',
    outside: 'Sold while no shift was open', agreed: 'Sales and refunds that agree:',
    classes: {
      amount: 'another amount', state: 'another state', refunded: 'another sum given back', missing_here: 'unknown to core',
      missing_there: 'not in the journal', expected: 'another sum expected', uncounted: 'moved with no shift open',
    },
    fixes: {
      wait_for_terminal: 'wait for the terminal', send_journal: 'ask the terminal for its journal',
      settle_payment: 'ask the channel or settle by hand', look_at_terminal: 'look at the terminal',
    },
  },
  books: {
    title: 'Trial balance', balanced: 'Balances', unbalanced: 'Does not balance', total: 'Total', none: 'No money has moved yet',
    hint: 'Every movement is written twice; debits and credits are equal, or something is wrong.', account: 'Account', debit: 'Debit', credit: 'Credit',
    from: 'From', to: 'To', badPeriod: 'Two days, the first one first', zone: 'Days of the time zone', export: 'Export',
    opening: 'Opening balance', closing: 'Closing balance', debits: 'Debits', credits: 'Credits', balance: 'Balance',
    debitBalance: 'Debit balance', creditBalance: 'Credit balance', booked: 'Booked', movement: 'Movement',
    findings: 'The books do not hold', findingsHint: 'Nothing is corrected by itself: a person must look at this.',
    checked: 'The books were last proven', neverChecked: 'The books have not been proven yet.',
  },
  accounts: {
    channel_clearing: 'Channel clearing', merchant_payable: 'Merchant payable', fees: 'Fees', refunds_in_transit: 'Refunds in transit',
    cash_in_drawer: 'Cash in drawer', stored_value: 'Stored value', stored_value_due: 'Stored value due', bank: 'Bank', disputes_held: 'Held for disputes',
    cash_in_safe: 'Cash in safe', cash_over_short: 'Cash over and short', risk_loss: 'Risk loss',
  } as Record<string, string>,
  events: {
    created: 'Keyed in', presenting: 'Code on show', submitting: 'Sent to the channel', pending: 'Customer confirms', no_answer: 'The channel did not answer',
    succeeded: 'Paid', failed: 'Failed', reversed: 'Reversed', expired: 'Code expired', cancelled: 'Cancelled',
    close_confirmed: 'The channel confirmed the close', answer_refused: 'An answer was not believed', refund_submitted: 'Refund sent',
    refund_pending: 'Refund under way', refund_no_answer: 'No answer about the refund', refund_succeeded: 'Refund done', refund_failed: 'Refund failed',
    voided: 'Voided', paid_late: 'Paid late', scanned: 'Code opened', refund_not_sent: 'Refund not sent yet', refund_settled_by_hand: 'Refund settled by hand',
    rules_asked: 'The shop’s own rules were asked', not_quoted: 'The till names a price that was not quoted', quoted: 'Sold at the price that was quoted', doubted: 'In doubt: the channel is asked', doubt_waits: 'Waiting until nothing can be on its way any more', doubt_ended: 'The channel has said which is true', paid_by_hand: 'Settled by hand as paid',
    needs_attention: 'A person is called', let_go: 'A held sale was let go by a person', settlement_proposed: 'Settlement by hand proposed', settlement_confirmed: 'Settlement by hand confirmed',
    settlement_refused: 'Settlement by hand refused', settlement_withdrawn: 'Settlement by hand withdrawn', cancel_asked: 'Somebody wants it cancelled', attended: 'Somebody has seen to it',
    contradicts_refund: 'The channel says otherwise of a refund than before',
    contradicts_void: 'The channel says paid of what was undone', second_payment: 'The order was paid twice',
    contradicts_hand: 'The channel says otherwise than what was settled by hand', contradicts_capture: 'The channel contradicts its own success',
    refunded_elsewhere: 'Given back by somebody else', undone_elsewhere: 'Undone by the channel',
    dispute_opened: 'Disputed by the customer', dispute_response_asked: 'The channel asks for evidence', dispute_evidence_submitted: 'Evidence handed in',
    dispute_accepted: 'Dispute accepted', dispute_won: 'Dispute won', dispute_lost: 'Dispute lost', dispute_exceeds: 'More is disputed than is left',
    dispute_contradicted: 'The channel says otherwise of the dispute',
  } as Record<string, string>,
  actors: { channel: 'the channel', core: 'Saoma' } as Record<string, string>,
  postingKinds: {
    captured: 'Money collected', refund_reserved: 'Refund set aside', refund_succeeded: 'Refund done', refund_failed: 'Refund failed', refund_reopened: 'Refund set aside again', undone: 'Undone by the channel',
    fee_corrected: 'Fee corrected', drawer_float: 'Float', paid_in: 'Paid in', paid_out: 'Paid out', drawer_counted: 'Drawer counted',
    stored_value_topped_up: 'Stored value topped up', stored_value_top_up_reversed: 'Top-up reversed', stored_value_charged: 'Paid with stored value', stored_value_returned: 'Back into stored value', stored_value_paid_out: 'Stored value paid out', double_spent: 'Spent twice offline', double_spent_returned: 'Spent twice offline, given back', loss_recovered: 'Loss paid by its account',
    dispute_opened: 'Dispute opened', dispute_won: 'Dispute won', dispute_lost: 'Dispute lost', payout_received: 'Payout received', payout_reversed: 'Payout reversed',
    bill_corrected: 'Corrected by the bill', written_off: 'Written off',
  } as Record<string, string>,
  orderStates: {
    open: 'open', closed: 'closed', paid: 'paid', overpaid: 'paid twice, being given back', returned: 'given back',
  } as Record<string, string>,
  hand: {
    attention: 'A person must look at this', whatWasDone: 'What was done about it', attend: 'Seen to', since: 'Since', asked: 'Questions to the channel:', lastSaid: 'The channel said last', nothingSaid: 'nothing',
    nextAsk: 'It is asked again at', title: 'Settled by hand', paid: 'Paid', notPaid: 'Not paid', about: 'What', outcome: 'How it ended',
    reference: 'Number at the channel', reason: 'Where you saw this', propose: 'Propose', confirm: 'Confirm', withdraw: 'Withdraw',
    hint: 'Only when the channel does not answer. Another person must confirm it; the channel is asked once more before.',
    byHandNote: 'Two persons said that this is paid. The channel has not confirmed it yet and is still being asked.',
    states: { proposed: 'waits for a second person', carried_out: 'carried out', refused: 'refused: the channel says otherwise', withdrawn: 'withdrawn' } as Record<string, string>,
  },
  webhooks: {
    title: 'Webhooks', add: 'Add an endpoint', newTitle: 'Add an endpoint', none: 'Nobody is told of events yet.',
    hint: 'Your own systems are told what happens, signed as Standard Webhooks has it, and told again for three days until they answer 2xx.',
    url: 'URL', description: 'Description', types: 'Events', allTypes: 'All events', ordered: 'in order',
    orderedHint: 'One at a time, in order; the next only after a success', enabled: 'Enabled', lastSuccess: 'Last success',
    reasons: { by_person: 'Switched off', failing: 'Disabled: failed for three days', gone: 'Disabled: the receiver answered 410' } as Record<string, string>,
    disabledAt: 'Switched off', disabledHint: 'What happens meanwhile is not told later; what was waiting still waits.',
    secret: 'Signing secret', secretHint: 'It is shown this once. Keep it where your receiver checks signatures.',
    overlap: 'The secret before this one signs too until', test: 'Send a test', enable: 'Switch on', disable: 'Switch off',
    rotate: 'Change the secret', rotateText: 'For one day both secrets sign, so that your receiver can change over at any moment.',
    delete: 'Remove', deleteText: 'The endpoint goes, with all that was and would be sent to it.',
    deliveries: 'Deliveries', state: 'State', allStates: 'All states', noDeliveries: 'Nothing like this was sent.',
    states: { pending: 'On its way', succeeded: 'Delivered', failed: 'Given up' },
    time: 'Happened', event: 'Event', attempts: 'Attempts', next: 'Next attempt', detail: 'Details', noAnswer: 'no answer',
    replay: 'Send once more', replayRange: 'Send once more what failed', succeededToo: 'also what was delivered', replayed: 'Sent once more',
  },
  fleet: fleetEn,
  goods: goodsEn,
  taxes: taxesEn,
  recon: reconEn,
  plugins: pluginsEn,
  staticCodes: staticCodesEn,
  shopRules: rulesEn,
  settings: settingsEn,
  storedCards: storedCardsEn,
  storedValue: storedValueEn,
  roles: {
    platform_admin: 'Platform administrator', owner: 'Owner', manager: 'Manager', cashier: 'Cashier', accountant: 'Accountant',
    read_only: 'Read only', plugin_publisher: 'Plugin publisher', acceptor: 'Accepts stored value',
  } as Record<string, string>,
};

export type Texts = typeof en;
