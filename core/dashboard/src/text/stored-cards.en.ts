// The texts of the room of cards that are sold without a network, in English; stored-cards.zh.ts must have the same shape.

export const storedCardsEn = {
  title: 'Cards without a network',
  hint: 'While its line is down a terminal takes cards at your own risk, within these limits. Once it is back the sales are told to the acquirer; what it declines is your loss.',
  enabled: 'Terminals take cards without a network', account: 'Channel account', accountHint: 'Through which these sales are told to the acquirer. An owner chooses it.',
  limits: {
    sale_minor_max: 'At most in one sale', card_day_count_max: 'Sales to one card a day', card_day_minor_max: 'At most to one card a day', unsent_minor_max: 'At most at a terminal that is not sent',
    unsent_count_max: 'Sales at a terminal that are not sent', unsent_hours_max: 'Hours that a sale may wait at a terminal', list_hours_max: 'Hours that a terminal may go on without news of blocked cards',
  },
  badLimit: 'Above zero, and as much as core takes; one sale may not be more than a card may pay in a day or a terminal may hold',
  stripe: 'Stripes too', stripeHint: 'Without it only chips are read. A stripe is easily copied.',
  prefixes: 'Numbers that are taken', prefixesHint: 'Their first 2 to 6 digits, apart by spaces', badPrefixes: '1 to 50 beginnings of 2 to 6 digits each',
  save: 'Save', told: 'It is set, and terminals are told.', blocked: 'Blocked after a loss:',
  sales: 'Sold without a network', salesHint: 'What the acquirer declined is yours to collect from the customer, or to bear. Say what was found out; the card stays blocked unless you let it in again. What is not sent waits for you: send it, or let two persons settle it by hand in its payment.',
  only: { open: 'To see to', waiting: 'Waiting for the acquirer', all: 'All' } as Record<string, string>,
  none: 'Nothing here.', when: 'Sold', card: 'Card', what: 'What became of it', amount: 'Amount', states: { waiting: 'The acquirer has not answered', held: 'Not sent: you decide', paid: 'Paid', lost: 'Declined: your loss' } as Record<string, string>,
  doubt: 'What is wrong with it', sale: 'Sale', resolve: 'End', resolved: 'Ended', unblocked: 'the card is let in again', unblock: 'Let the card in', letIn: 'The card may be taken without a network again', forward: 'Send', reason: 'Reason',
  resolveText: 'It is written down once, and the books stay as they are.', forwardText: 'The acquirer is told of it, and its answer counts. If it was paid already, somebody pays twice.', keep: 'Leave it as it is',
  problems: {
    conflict: 'It was done before, perhaps by your own attempt, or nothing of its card is kept: then settle its payment by hand. Nothing was done now.', not_found: 'It is not there, or not yours.', forbidden: 'Your role may not do this.',
    answered_before: 'It was done when it was first asked for, over an hour ago. Look at what there is.', idempotency_key_reused: 'This cannot be asked again: it was first asked by somebody else, or in other words. Look at what there is.',
  } as Record<string, string>,
};
