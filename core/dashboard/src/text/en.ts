// All texts in English; zh.ts must have the same shape.

export const en = {
  language: 'English',
  product: 'Saoma',
  rooms: {
    payments: 'Payments', terminals: 'Terminals', books: 'Trial balance',
  },
  shell: {
    live: 'Live', connecting: 'Connecting…', broken: 'No connection. Trying again…', signOut: 'Sign out',
    switchLanguage: '切换到中文', dark: 'Dark', light: 'Light', menu: 'Menu',
    noTenant: 'Platform administrators have no payments of their own. Sign in as one of a merchant’s people to see its rooms.',
  },
  common: {
    retry: 'Try again', close: 'Close', cancel: 'Cancel', copy: 'Copy', copied: 'Copied', more: 'Show more',
    loading: 'Loading…', name: 'Name', created: 'Created', updated: 'Changed',
    never: 'never', reload: 'Reload',
  },
  problem: {
    offlineTitle: 'No connection to the server',
    offlineDetail: 'What you asked for may or may not have arrived. Trying again is safe.',
    unexpectedTitle: 'Something went wrong on this page',
    trace: 'Trace id for support',
    notFoundTitle: 'Not found',
    notFoundDetail: 'This page does not exist.',
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
    merchant_presented: 'Shop’s code', customer_presented: 'Customer’s code', cash: 'Cash',
  },
  payments: {
    all: 'All states', filter: 'State', title: 'Live payments', time: 'Time', amount: 'Amount', state: 'State', method: 'How', channel: 'Channel', store: 'Store',
    attention: 'Needs a person',
    terminal: 'Terminal', reference: 'Reference', number: 'Number', late: 'paid late', none: 'No payments yet',
    noneHint: 'A sale appears here the moment it is keyed in.', noneFiltered: 'No payments like this',
  },
  payment: {
    title: 'Payment', facts: 'Facts', timeline: 'What happened', postings: 'Ledger', refunds: 'Refunds and voids',
    refunded: 'Given back or on its way', left: 'Left', order: 'Order', version: 'Version', channelReference: 'Channel’s number',
    counter: 'Sale number', cashier: 'Cashier', goods: 'Goods', code: 'Code', expires: 'Code expires', paidAt: 'Paid', failure: 'Why it failed',
    lateNote: 'The channel confirmed this payment after it had been closed.',
    unknownNote: 'The channel has not answered. Saoma keeps asking; please do not collect again meanwhile.',
    feePlan: 'Fee plan version', noPostings: 'No money has moved', noRefunds: 'Nothing was given back', debit: 'Debit', credit: 'Credit', account: 'Account',
    by: 'by', details: 'Details', quantity: '×', reason: 'Reason',
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
  peripherals: {
    printer: 'Printer', scanner: 'Scanner', display: 'Display', drawer: 'Drawer', card: 'Card reader', speaker: 'Speaker',
  } as Record<string, string>,
  peripheralStates: { ok: 'works', warning: 'wants attention', failed: 'does not work' },
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
    cash_in_drawer: 'Cash in drawer', wallet_liability: 'Wallet liability', bank: 'Bank', disputes_held: 'Held for disputes',
    cash_in_safe: 'Cash in safe', cash_over_short: 'Cash over and short', risk_loss: 'Risk loss',
  } as Record<string, string>,
  events: {
    created: 'Keyed in', presenting: 'Code on show', submitting: 'Sent to the channel', pending: 'Customer confirms', no_answer: 'The channel did not answer',
    succeeded: 'Paid', failed: 'Failed', reversed: 'Reversed', expired: 'Code expired', cancelled: 'Cancelled',
    close_confirmed: 'The channel confirmed the close', answer_refused: 'An answer was not believed', refund_submitted: 'Refund sent',
    refund_pending: 'Refund under way', refund_no_answer: 'No answer about the refund', refund_succeeded: 'Refund done', refund_failed: 'Refund failed',
    voided: 'Voided', paid_late: 'Paid late', scanned: 'Code opened', refund_not_sent: 'Refund not sent yet', refund_settled_by_hand: 'Refund settled by hand',
    doubted: 'In doubt: the channel is asked', doubt_ended: 'The channel has said which is true', paid_by_hand: 'Settled by hand as paid',
    needs_attention: 'A person is called', settlement_proposed: 'Settlement by hand proposed', settlement_confirmed: 'Settlement by hand confirmed',
    settlement_refused: 'Settlement by hand refused', settlement_withdrawn: 'Settlement by hand withdrawn', cancel_asked: 'Somebody wants it cancelled', attended: 'Somebody has seen to it',
    contradicts_void: 'The channel says paid of what was undone', second_payment: 'The order was paid twice',
    contradicts_hand: 'The channel says otherwise than what was settled by hand', contradicts_capture: 'The channel contradicts its own success',
    refunded_elsewhere: 'Given back by somebody else', undone_elsewhere: 'Undone by the channel',
  } as Record<string, string>,
  actors: { channel: 'the channel', core: 'Saoma' } as Record<string, string>,
  postingKinds: {
    captured: 'Money collected', refund_reserved: 'Refund set aside', refund_succeeded: 'Refund done', refund_failed: 'Refund failed', undone: 'Undone by the channel',
    fee_corrected: 'Fee corrected', drawer_float: 'Float', paid_in: 'Paid in', paid_out: 'Paid out', drawer_counted: 'Drawer counted',
    wallet_topped_up: 'Wallet topped up', wallet_spent: 'Paid from wallet', wallet_refunded: 'Back into wallet', double_spent: 'Spent twice offline',
    dispute_opened: 'Dispute opened', dispute_won: 'Dispute won', dispute_lost: 'Dispute lost', payout_received: 'Payout received',
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
  roles: {
    platform_admin: 'Platform administrator', owner: 'Owner', manager: 'Manager', cashier: 'Cashier', accountant: 'Accountant',
    read_only: 'Read only', plugin_publisher: 'Plugin publisher',
  } as Record<string, string>,
};

export type Texts = typeof en;
