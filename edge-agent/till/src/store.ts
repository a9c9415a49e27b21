// What the till's page knows, and what happens when the cashier presses or the agent speaks.

import {
  type Basket, type DevicesPage, type Events, follow, freshKey, get, NoAnswer, type PairedPage, type PairingCode, Problem, post, type Received, type Sale, type SaleScan, type ScanAnswer, type Shift, type Split,
  type TillState,
} from './api';
import { basketScreen } from './basket';
import { askedAgain as cardAgain, awaitingCard } from './card';
import { configure, restartDevice, search, selfTest } from './device-store';
import { compareBooks, openDrawer, syncNow } from './info-store';
import { forgetNewest, isNewest, withNewest } from './newest-basket';
import { BASKET, hasPin, HELD, type Intent, Intents, isAlone, isNewSale, isOfSales, SALES, SPLITS } from './intent';
import type { Notice } from './notice';
import { IS_PAIRED } from './paired';
import { withSale } from './page-sales';
import { pair, revoke, withdraw } from './paired-store';
import { over, type Unquoted } from './quote';
import { forgetPrice, priceBefore, priceOf } from './quote-store';
import { came } from './received';
import { followRelease } from './release';
import { awaiting, HOME, type Press, SALES_MAX, type Screen, type Step, step, toward, type Wish } from './screen';
import { afterShift, namedAgain, signOnAgain } from './shift';
import { supervisorFor } from './supervisor';
import type { Language } from './text';
import { lookUp, readShown, readUnseen } from './unseen';
import { askWeight, followed, unweighed, weighable } from './weigh';
import { basketOf, keepWeighing, weighingLeft } from './weigh-shelf';
import { weigh } from './weigh-store';

export interface Model {
  screen: Screen;
  language: Language;
  /** Whether the agent's events arrive. */
  connected: boolean;
  state: TillState | null;
  /** The last one that this page has seen, open or closed. */
  shift: Shift | null;
  /** The one that was told of last, finished or not. */
  split: Split | null;
  /** Newest first. */
  sales: Sale[];
  /** As last told, while their page is open. */
  devices: DevicesPage | null;
  /** As last told, while their page is open, and the code that was made there. */
  paired: PairedPage | null;
  pairing: PairingCode | null;
  /** What became of the price that was asked for last; null once it is on the screen, or nothing is asked. */
  price: 'asking' | Unquoted | null;
  /** The code on show, drawn by the agent. */
  code: { payment: string; svg: string } | null;
  notice: Notice | null;
  /** Paid through a printed code just now. */
  cameIn: Received | null;
  /** Paths that wait for their answer. */
  busy: string[];
  /** An intent has been without an answer at least once. */
  silent: boolean;
}

/** A scan that was taken elsewhere tells of its sale within this; then nobody waits any more. */
const SCAN_OVER_MS = 2_000;
const LANGUAGE = 'saoma.language';
const SCREEN = 'saoma.sale';

const intents = new Intents(sessionStorage);
const listeners = new Set<() => void>();
let model: Model = {
  screen: HOME, language: firstLanguage(), connected: false, state: null, shift: null, split: null, sales: [],
  devices: null, paired: null, pairing: null, price: null, code: null,
  notice: null, cameIn: null, busy: [], silent: false,
};
/** When the question on the screen last became another one: when it was shown, and when what brought it was pressed. */
let changed = { shownAt: 0, pressedAt: 0 };
/** When a price that is not the list price came on the screen; it stays the same from how it is paid to the cash. */
let pricedAt = 0;

export function current(): Model {
  return model;
}

export function onChange(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function set(change: Partial<Model>, pressedAt?: number): void {
  const [before, priceBefore, was] = [questionOf(model.screen), otherPrice(model.screen), model];
  model = { ...model, ...change };
  if (was.screen.kind === 'weigh') model = { ...model, ...followed(was.screen, was, model, basketOf(was), pressedAt !== undefined) };
  const price = otherPrice(model.screen);
  if (price !== undefined && price !== priceBefore) pricedAt = performance.now();
  // A code is good for as long as it is on show, whichever way its screen was left.
  const { pairing } = model;
  if (pairing !== null && model.screen.kind !== 'pair-code') {
    model = { ...model, pairing: null };
    void withdraw(pairing.id);
  }
  if (questionOf(model.screen) !== before) {
    const shownAt = performance.now();
    changed = { shownAt, pressedAt: pressedAt ?? shownAt };
  }
  if (model.screen.kind === 'sale') sessionStorage.setItem(SCREEN, model.screen.payment);
  else sessionStorage.removeItem(SCREEN);
  keepWeighing(model);
  for (const listener of listeners) listener();
}

function firstLanguage(): Language {
  const stored = localStorage.getItem(LANGUAGE);
  if (stored === 'zh' || stored === 'en') return stored;
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en';
}

function switchLanguage(): void {
  const language = model.language === 'zh' ? 'en' : 'zh';
  localStorage.setItem(LANGUAGE, language);
  set({ language });
}

function questionOf(screen: Screen): string {
  if (screen.kind === 'count' && screen.sure) return `count-${screen.doubt ? 'doubt' : 'sure'}${screen.held === undefined ? '' : '-held'}`;
  if (screen.kind === 'weigh') return `weigh-${screen.of.goods}-${screen.next.length}`;
  if (screen.kind === 'device-form' && screen.sure === true) return 'device-form-sure';
  if (screen.kind === 'supervisor') return screen.number === null ? 'supervisor' : 'supervisor-pin';
  return screen.kind === 'refund' && screen.sure ? 'refund-sure' : screen.kind;
}

/**
 * Shortest time before a confirming press counts: the second tap of a pair must not answer the next question. A key that
 * bounces is quicker than any hand, and a quick hand is quicker than a busy terminal: keys are told apart by when they were
 * pressed. Only where money goes back, or a keyboard may fall silent, the question must have been there to be read.
 */
const SETTLE_MS = { tap: 350, key: 60, giving: 350 };

function isTooEarly(press: Press, by: 'tap' | 'key', at: number): boolean {
  if (!['enter', 'method', 'pick', 'take', 'split', 'line', 'function', 'tendered', 'escape', 'device'].includes(press.kind)) return false;
  const question = questionOf(model.screen);
  const giving = press.kind === 'enter' && (['confirm', 'refund-sure', 'drop', 'split-back', 'device-form-sure', 'basket-clear', 'supervisor-pin', 'revoke'].includes(question) || question.startsWith('count-'));
  if (giving) return performance.now() - changed.shownAt < SETTLE_MS.giving;
  return by === 'tap' ? performance.now() - changed.shownAt < SETTLE_MS.tap : at - changed.pressedAt < SETTLE_MS.key;
}

/** The quote that has put another price than was keyed on the screen. */
function otherPrice(screen: Screen): string | undefined {
  const quote = screen.kind === 'method' || screen.kind === 'cash' ? screen.order?.quote : undefined;
  return quote === undefined || quote.amount_minor === quote.list_minor ? undefined : quote.id;
}

/** Whether it would sell at a price that nobody can have read yet: whoever pressed it, or scanned, meant the one before. */
function isUnread(press: Press, at: number): boolean {
  if (otherPrice(model.screen) === undefined || at - pricedAt >= SETTLE_MS.giving) return false;
  // What is keyed as handed over is held against the price when it is confirmed.
  return model.screen.kind === 'cash' ? press.kind === 'enter' : ['digits', 'method', 'function', 'scanned'].includes(press.kind);
}

/** `at`: when it was pressed, on the page's own clock. */
export function press(what: Press, by: 'tap' | 'key', at = performance.now()): void {
  if (what.kind === 'language') {
    switchLanguage();
    return;
  }
  if (model.busy.some(isAlone) || pinsUnderWay > 0) return;
  if (isUnread(what, at)) {
    set({ notice: { kind: 'hint', hint: 'price_changed' } });
    return;
  }
  if (isTooEarly(what, by, at)) return;
  // Settings, pairing and sending are at the till itself.
  if (IS_PAIRED && model.screen.kind === 'info' && what.kind === 'digits' && '123'.includes(what.digits)) return;
  const { state } = model;
  const asks = { pins: state?.pins ?? false, supervisor: !inTraining() && (state?.supervisor_needed ?? false) };
  // What was scanned for a real customer is no part of a sale that is only played.
  const basket = inTraining() ? null : (state?.basket ?? null);
  take(step(model.screen, what, model.sales, state?.shift?.batch ?? null, inTraining(), state?.held, basket, asks, knownSplits(model), model.paired?.devices), at);
}

/** Presses that a PIN went with, and that wait for their answer. */
let pinsUnderWay = 0;

/** Whether sales are only played. */
export function inTraining(): boolean {
  return (model.state?.training ?? null) !== null;
}

/** Where sales are now: a page that has not noticed a change is refused there. */
function salesPath(): string {
  return inTraining() ? SALES.training : SALES.real;
}

/** The splits that this page knows of: those that are not finished, and the one that was looked at last. */
export function knownSplits({ state, split }: Model): Split[] {
  const open = state?.splits ?? [];
  return split === null || open.some(({ number }) => number === split.number) ? open : [...open, split];
}

function take({ screen, wish, hint }: Step, pressedAt?: number): void {
  set({ screen, notice: hint === undefined ? null : { kind: 'hint', hint }, cameIn: null }, pressedAt);
  if (screen.kind === 'split' && screen.number !== null) void lookAt(screen.number);
  if (wish !== undefined) void carry(wish);
  else void priceOf(screen);
}

export async function carry(wish: Wish): Promise<void> {
  switch (wish.kind) {
    case 'sell': {
      const price = priceBefore(wish.body);
      // Where nothing is asked, it goes out with the press.
      const body = price instanceof Promise ? await price : price;
      if (body !== null) return begin(salesPath(), body);
      return wish.body.code === undefined ? undefined : inBasket(wish.body.code);
    }
    case 'act':
      return begin(`${salesPath()}/${wish.payment}/${wish.action}`, wish.body);
    case 'basket':
      return begin(BASKET, { revision: model.state?.basket?.revision ?? 0, press: wish.press });
    case 'weigh':
      return weigh(wish.of);
    case 'hold':
      return begin(HELD, wish.body);
    case 'drop':
      return begin(`${HELD}/${wish.number}/drop`, {});
    case 'give-back':
      return begin(`${SPLITS}/${wish.number}/give-back`, wish.body);
    case 'reprint-split':
      return begin(`${SPLITS}/${wish.number}/reprint`, {});
    case 'training':
      return turnTraining(wish.to);
    case 'device':
      return wish.what === 'restart' ? restartDevice(wish.of) : selfTest(wish.of);
    case 'sync-now':
      return syncNow();
    case 'compare-books':
      return compareBooks();
    case 'open-drawer':
      return openDrawer();
    case 'search':
      return search();
    case 'configure':
      return configure(wish.of, wish.draft, wish.sure);
    case 'pair':
      return pair(wish.name, wish.role);
    case 'revoke':
      return revoke(wish.id);
    case 'shift': {
      // Who keys no number is the till's own cashier.
      const named = wish.path === 'open' && wish.body.cashier === '';
      const body = named ? { ...wish.body, cashier: model.state?.cashier ?? '' } : wish.body;
      return begin(`/api/shift/${wish.path}`, body);
    }
    case 'look-up':
      return ask(() => lookUp(wish.counter));
    case 'stop-scan':
      intents.forgetScan();
      return ask(() => post('/api/scan/cancel', {}, freshKey()));
    case 'stop-card':
      intents.forgetScan();
      return ask(() => post('/api/card/cancel', {}, freshKey()));
    case 'scan': {
      const key = freshKey();
      const askedAt = performance.now();
      return ask(async () => {
        const answer = await post<ScanAnswer>('/api/scan', { text: wish.text }, key);
        if ('sale' in answer && isOfNow(answer)) set({ sales: withAnswers(askedAt, [answer.sale]) });
        scanned(answer);
      });
    }
  }
}

/** What was scanned for a sale that its price has held up: goods go into the basket, and a customer shows the code again. */
async function inBasket(text: string): Promise<void> {
  // A scan that is awaited is another page's, and no code is to be charged for that.
  if ((model.state?.awaiting_scan ?? null) !== null) return;
  try {
    scanned(await post<ScanAnswer>('/api/scan', { text }, freshKey()));
  } catch (error) {
    if (!(error instanceof Problem && error.code === 'scan_not_awaited')) tell(error);
  }
}

/** A split that is finished is in no state: it is asked for. */
async function lookAt(number: number): Promise<void> {
  if (model.state?.splits?.some((one) => one.number === number) === true) return;
  await ask(async () => set({ split: await get<Split>(`${SPLITS}/${number}`) }));
}

/** This page has asked for training to end, so that nobody needs to be told. */
let isLeaving = false;

async function turnTraining(to: 'enter' | 'leave'): Promise<void> {
  const key = freshKey();
  isLeaving = to === 'leave';
  await ask(async () => takeState(await post<TillState>(`/api/training/${to}`, {}, key)));
  isLeaving = false;
}

async function begin(path: string, body: unknown): Promise<void> {
  const intent = intents.begin(path, body);
  if (intent !== null) await carryOut(intent);
}

async function carryOut(intent: Intent): Promise<void> {
  const secret = hasPin(intent.body) ? 1 : 0;
  pinsUnderWay += secret;
  try {
    await carriedOut(intent);
  } finally {
    pinsUnderWay -= secret;
  }
}

async function carriedOut(intent: Intent): Promise<void> {
  set({ busy: [...model.busy, intent.path] });
  const askedAt = performance.now();
  const asking = model.screen;
  try {
    const answer = await intents.carryOut<Sale | Shift | Split | { awaiting_scan: { amount_minor: number } } | { awaiting_card: { amount_minor: number } } | { basket: Basket | null; basket_revision?: number }>(intent, () => set({ silent: true }));
    const rest = { busy: model.busy.filter((path) => path !== intent.path), silent: false };
    if (intent.path.startsWith(HELD)) {
      const isDone = intent.path === HELD && asking.kind === 'reference' && model.screen === asking;
      return set({ ...rest, screen: isDone ? HOME : model.screen });
    }
    if ('basket' in answer) {
      // The state tells of it too; whoever presses on must not press on what was before.
      const isHere = ['home', 'held'].includes(model.screen.kind) && answer.basket !== null;
      const shown = isHere ? basketScreen(answer.basket === null ? 0 : answer.basket.lines.length - 1) : model.screen;
      return set({ ...rest, ...withBasket(answer.basket, answer.basket_revision), screen: shown });
    }
    if ('parts' in answer) return set({ ...rest, split: answer });
    if ('batch' in answer) {
      // What was just closed is shown, with what should have been in the drawer; all else is done.
      const shown: Screen = answer.closed === undefined ? HOME : { kind: 'report' };
      const isHere = ['sign-on', 'drawer', 'count', 'report'].includes(model.screen.kind);
      return set({ ...rest, shift: answer, screen: isHere ? shown : model.screen });
    }
    // Training began or ended meanwhile: it is told of where it belongs.
    if (model.state !== null && !isOfSales(intent.path, salesPath())) return set(rest);
    if ('awaiting_scan' in answer) {
      return set({ ...rest, screen: awaiting(model.screen, answer.awaiting_scan.amount_minor, intent.body) });
    }
    if ('awaiting_card' in answer) return set({ ...rest, screen: awaitingCard(model.screen, answer.awaiting_card.amount_minor, intent.body) });
    const sales = withAnswers(askedAt, [answer]);
    // The next customer's price is another question.
    if (isNewSale(intent.path)) forgetPrice();
    const screen: Screen = isNewSale(intent.path) ? { kind: 'sale', payment: answer.payment } : model.screen;
    set({ ...rest, sales, screen });
  } catch (error) {
    set({ busy: model.busy.filter((path) => path !== intent.path), silent: false });
    const code = error instanceof Problem ? error.code : '';
    // With an amount to be paid, only the agent can tell goods from a customer's code.
    const text = isNewSale(intent.path) && code === 'goods_scanned' ? (intent.body as { code?: string }).code : undefined;
    if (text !== undefined) return carry({ kind: 'scan', text });
    tell(error);
    if (code === 'quote_over') {
      forgetPrice();
      set({ screen: over(model.screen) });
      void priceOf(model.screen);
    }
    const again = askedAgain(intent, code);
    if (again !== null) set({ screen: again });
    const isDoubt = error instanceof Problem && error.code === 'shift_in_doubt';
    const isLeft = error instanceof Problem && error.code === 'held_left';
    if (isLeft && model.screen.kind === 'count') {
      const held = (model.state?.held ?? []).map(({ number }) => number);
      set({ screen: { ...model.screen, sure: true, held } });
    }
    if (isDoubt && model.screen.kind === 'count') set({ screen: { ...model.screen, sure: true, doubt: true } });
  }
}

/** Where the page goes for what the agent wants besides. A screen that the cashier has left by then stays. */
function askedAgain({ path, body }: Intent, code: string): Screen | null {
  const { screen } = model;
  if (path === '/api/shift/open') return signOnAgain(screen, code);
  if (path.startsWith('/api/shift/')) return namedAgain(screen, code);
  const asked = supervisorFor(path, body, code);
  const isHere = screen.kind === 'sale' ? screen.payment === asked?.payment : screen.kind === 'split' && screen.number === asked?.split;
  return isHere ? (asked ?? null) : null;
}

/** Asks something that is harmless to lose. */
export async function ask(question: () => Promise<unknown>): Promise<void> {
  try {
    await question();
  } catch (error) {
    tell(error);
  }
}

function tell(error: unknown): void {
  const problem = error instanceof Problem ? error : new Problem(0, error instanceof NoAnswer ? 'stopping' : 'page', String(error));
  set({ notice: { kind: 'problem', problem } });
}

/** When the events last told of a sale. They come in the sequence of what happened and leave nothing out. */
const toldAt = new Map<string, number>();

function takeEvent(sale: Sale): void {
  toldAt.set(sale.payment, performance.now());
  set({ sales: withSale(model, sale) });
}

/** Sales that were answered: an event that came after the question knows better, whatever the clocks in them say. */
export function withAnswers(askedAt: number, answers: readonly Sale[]): Sale[] {
  const news = answers.filter(({ payment }) => (toldAt.get(payment) ?? 0) < askedAt);
  return news.reduce((sales, sale) => withSale({ sales, screen: model.screen }, sale), model.sales);
}

/** Whether it tells of a sale of the kind that is keyed now: a real one, or one that is only played. */
function isOfNow({ result }: SaleScan): boolean {
  return result === 'found' || (result === 'training_sale') === inTraining();
}

/** The state with this basket. */
function withBasket(basket: Basket | null, revision?: number): Partial<Model> {
  return model.state === null || !isNewest(basket, revision) ? {} : { state: { ...model.state, basket } };
}

/** Where a receipt leads whose sale core was asked for: meanwhile the cashier may have gone on to the next customer. */
function isAtRest({ screen, busy }: Model): boolean {
  return ['find', 'sale', 'held', 'info', 'received'].includes(screen.kind) ? !busy.some(isAlone) : screen.kind === 'home' && screen.keyed === '';
}

const WEIGH_FIRST: Notice = { kind: 'hint', hint: 'weigh_first' };

/** Where goods that are scanned lead to the basket: nothing else is being asked. */
const TO_BASKET: readonly Screen['kind'][] = ['home', 'basket', 'method', 'cash', 'find', 'sale', 'held', 'info', 'received'];

function scanned(answer: Events['scan']): void {
  switch (answer.result) {
    case 'unexpected':
      set({ notice: { kind: 'scan' } });
      return;
    case 'barcode_unknown':
      tell(new Problem(404, answer.result, answer.ends_in ?? ''));
      return;
    case 'refused':
      tell(new Problem(409, answer.code, answer.detail));
      return;
    case 'goods_scanned':
    case 'card_swiped':
      tell(new Problem(409, answer.result, ''));
      return;
    case 'weigh': {
      const { screen } = model;
      const one = weighable(answer);
      // What is under way leads on to a screen of its own.
      const leads = TO_BASKET.includes(screen.kind) && !model.busy.some(isAlone);
      if (screen.kind === 'weigh') set({ screen: { ...screen, next: [...screen.next, one] } });
      else set(leads ? { screen: askWeight([one]) ?? screen, notice: null } : unweighed([one]));
      return;
    }
    case 'basket': {
      const leads = TO_BASKET.includes(model.screen.kind) && answer.basket !== null;
      if (model.screen.kind === 'weigh') set({ notice: WEIGH_FIRST });
      set({ ...withBasket(answer.basket), ...(leads ? { screen: basketScreen(answer.scanned?.line), notice: null } : {}) });
      return;
    }
  }
  if (!isOfNow(answer)) return;
  const { sale } = answer;
  const { screen } = model;
  // The customer waits to pay: a receipt that came before the scanner must not take the cashier elsewhere.
  if (answer.result === 'found' && (screen.kind === 'scan' || (sale.elsewhere === true && !isAtRest(model)))) {
    set({ notice: { kind: 'hint', hint: 'receipt_scanned' } });
    return;
  }
  if (answer.result !== 'found') intents.forgetScan();
  if (screen.kind === 'weigh') {
    set({ sales: withSale(model, sale), notice: WEIGH_FIRST });
    return;
  }
  if (sale.elsewhere === true || !model.sales.some(({ payment }) => payment === sale.payment)) set({ sales: withSale(model, sale) });
  if (answer.result === 'found' && screen.kind === 'find') take(toward(sale, screen.purpose));
  else set({ screen: { kind: 'sale', payment: sale.payment }, notice: null });
}

/** The sales are to be read once the state says which: an agent that was started anew is in training no more. */
let isListDue = false;

function takeState(told: TillState): void {
  const state = withNewest(told, model.state?.basket ?? null);
  const turned = inTraining() !== ((state.training ?? null) !== null);
  const isFirst = model.state === null;
  if (state.rules !== model.state?.rules || state.cashier !== model.state?.cashier) forgetPrice();
  const { screen } = model;
  const busy = model.busy.some(isNewSale);
  if (state.awaiting_scan !== null && screen.kind === 'home' && screen.keyed === '' && model.state === null) {
    set({ screen: awaiting(screen, state.awaiting_scan.amount_minor, awaitedBody(state.awaiting_scan.amount_minor)) });
  } else if (state.awaiting_scan === null && screen.kind === 'scan' && !busy) {
    setTimeout(() => {
      const asking = model.busy.some(isNewSale);
      if (model.screen.kind !== 'scan' || model.state?.awaiting_scan !== null || asking) return;
      intents.forgetScan();
      set({ screen: HOME, notice: { kind: 'scan-over' } });
    }, SCAN_OVER_MS);
  }
  cardAwaited(state, isFirst);
  const after = afterShift(model.screen, state.shift?.batch ?? null, model.busy);
  set(after === model.screen ? { state } : { state, screen: after, notice: { kind: 'hint', hint: 'other_shift' } });
  if ((state.basket ?? null) === null && ['basket', 'basket-clear'].includes(model.screen.kind)) set({ screen: HOME });
  if (isFirst && inTraining() && model.screen.kind === 'weigh') set({ screen: HOME });
  // The others are real, or were only played: what is on the screen is of them.
  if (turned && !isFirst) {
    intents.forgetScan();
    const isOver = !inTraining() && !isLeaving;
    set({ sales: [], code: null, screen: HOME, notice: isOver ? { kind: 'hint', hint: 'training_over' } : null });
  }
  if (turned || isListDue) {
    isListDue = false;
    void ask(readSales);
  }
  void readUnseen();
  followRelease(state);
}

/** The agent waits for a card, or does not any more. How that ended is told by an event of its own. */
function cardAwaited(state: TillState, isFirst: boolean): void {
  const awaited = state.awaiting_card ?? null;
  const isOver = (): boolean => model.screen.kind === 'card' && !model.busy.some(isNewSale);
  if (awaited !== null && isFirst && model.screen.kind === 'home') {
    set({ screen: awaitingCard(model.screen, awaited.amount_minor, awaitedBody(awaited.amount_minor)) });
  } else if (awaited === null && isOver()) {
    setTimeout(() => {
      if (!isOver() || (model.state?.awaiting_card ?? null) !== null) return;
      intents.forgetScan();
      set({ screen: HOME, notice: { kind: 'card-over' } });
    }, SCAN_OVER_MS);
  }
}

function cardCame(told: Events['card']): void {
  if (told.result === 'sale') {
    scanned(told);
    return;
  }
  intents.forgetScan();
  if (model.screen.kind === 'card') set({ screen: cardAgain(model.screen) });
  tell(new Problem(409, told.code, told.detail));
}

/** What this page asked for when it began to wait for that amount's scan. */
function awaitedBody(minor: number): unknown {
  const body = intents.awaited()?.body as { amount_minor?: unknown } | undefined;
  return body?.amount_minor === minor ? body : undefined;
}

async function readSales(): Promise<void> {
  const askedAt = performance.now();
  const path = salesPath();
  const { items } = await get<{ items: Sale[] }>(`${path}?limit=${SALES_MAX}`);
  if (path === salesPath()) set({ sales: withAnswers(askedAt, items) });
  await readShown();
}

export function start(): void {
  const payment = sessionStorage.getItem(SCREEN);
  set({ screen: payment === null ? (weighingLeft() ?? HOME) : { kind: 'sale', payment } });
  follow(
    {
      state: takeState,
      sale: (sale) => {
        if (!inTraining()) takeEvent(sale);
      },
      training_sale: (sale) => {
        if (inTraining()) takeEvent(sale);
      },
      display: (display) => set({ code: display.kind === 'code' ? { payment: display.payment, svg: display.svg } : null }),
      receipt: ({ printed, why, trouble }) => {
        if (!printed) set({ notice: { kind: 'receipt', why: why ?? '', trouble: trouble ?? null } });
      },
      scan: scanned,
      card: cardCame,
      received: came,
      shift: (shift) => set({ shift }),
      split: (split) => {
        // Of what is not finished the state tells; one that is looked at stays known.
        const { screen } = model;
        if (screen.kind !== 'split' || screen.number === split.number) set({ split });
      },
    },
    (connected) => {
      set({ connected });
      forgetNewest();
      isListDue ||= connected;
      // The agent may have taken the scan and ended before it said so. Its answer is the sale, or that it waits again.
      const awaited = intents.awaited();
      if (connected && awaited !== null && ['scan', 'card'].includes(model.screen.kind) && !model.busy.includes(awaited.path)) void carryOut(awaited);
    },
  );
  for (const intent of intents.left()) void carryOut(intent);
}
