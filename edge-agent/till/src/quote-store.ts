// When the agent is asked for the price of a sale, and what the page does with it. Nobody waits for long: the agent answers within its own
// two seconds, whatever core does. Only a shop whose rules core could ask, and that sells nothing without their price, sells nothing then.

import { freshKey, post } from './api';
import { orderTold } from './held';
import { SALES } from './intent';
import { asked, askedBefore, isSame, methodWith, priced, type Question, type QuoteAnswer } from './quote';
import type { Screen, Wish } from './screen';
import { current, inTraining, set } from './store';

const QUOTES = '/api/quotes';
/** The agent answers within two seconds; beyond this its page has no network. */
const ANSWER_MS_MAX = 3_000;
/** How long an answer stands for the same question: the cashier goes back and forth, and does not wait each time. That there is no price
 * stands for as long as it takes to press on; where nothing is sold without, whoever presses again asks again. */
const STANDS_MS = { quote: 30_000, none: 5_000, refused: 1_000 };

interface Asking {
  about: Question;
  at: number;
  answer: Promise<QuoteAnswer>;
  stands: number;
}

let last: Asking | null = null;

/** Whether the shop has rules, and what is keyed is real. */
const isAsked = (): boolean => current().state?.rules === true && !inTraining();

function ask(about: Question): Asking {
  const now = performance.now();
  if (last !== null && isSame(last.about, about) && now - last.at < last.stands) return last;
  // An agent that does not answer sells nothing either; that is told where the sale is.
  const failed: QuoteAnswer = { quote: null, why: 'failed' };
  const asking: Asking = { about, at: now, answer: post<QuoteAnswer>(QUOTES, about, freshKey(), ANSWER_MS_MAX).catch(() => failed), stands: STANDS_MS.quote };
  void asking.answer.then(({ quote, why }) => {
    if (quote === null) asking.stands = why === 'refused' ? STANDS_MS.refused : STANDS_MS.none;
  });
  last = asking;
  return asking;
}

/** What was said of prices stands no more. */
export function forgetPrice(): void {
  last = null;
}

/** Asks for the price of what stands on the screen, and puts it there. */
export async function priceOf(screen: Screen): Promise<void> {
  const about = isAsked() ? asked(screen) : null;
  if (about === null) {
    if (current().price !== null) set({ price: null });
    return;
  }
  set({ price: 'asking' });
  const { quote, why } = await ask(about).answer;
  const now = asked(current().screen);
  // The cashier is elsewhere by now, or has the price.
  if (now === null || !isSame(now, about)) return;
  if (quote === null) set({ price: why });
  else set({ price: null, screen: priced(current().screen, about, quote) });
}

type Body = Extract<Wish, { kind: 'sell' }>['body'];

/** What is sold: at its price, if that was seen; else the price comes on the screen first, and nothing is sold yet (null), nor where the shop wants no sale without one. */
export function priceBefore(body: Body): Body | Promise<Body | null> {
  const about = isAsked() ? askedBefore(body) : null;
  return about === null ? body : pricedOrShown(body, about);
}

async function pricedOrShown(body: Body, about: Question): Promise<Body | null> {
  const { quote, why } = await whileBusy(ask(about).answer);
  if (quote === null) {
    set({ price: why });
    if (why !== 'refused') return body;
    set({ notice: { kind: 'hint', hint: 'price_refused' } });
    return null;
  }
  if (quote.amount_minor === body.amount_minor) return { ...body, quote: quote.id };
  // What goes with the amount is the wish's: from the basket it is pressed without a screen that has it.
  set({ price: null, screen: methodWith(quote, orderTold(body)), notice: { kind: 'hint', hint: 'price_changed' } });
  return null;
}

/** While a price is awaited for a sale that was pressed, there is nothing else to do. */
async function whileBusy<T>(answer: Promise<T>): Promise<T> {
  set({ busy: [...current().busy, SALES.real] });
  try {
    return await answer;
  } finally {
    const { busy } = current();
    const at = busy.indexOf(SALES.real);
    set({ busy: busy.filter((_, idx) => idx !== at) });
  }
}
