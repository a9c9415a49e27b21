// Who is signed in. The access token lives in memory only; the refresh token is a cookie that no script can read, so that a
// reload does not sign a person out and a script that found its way in cannot carry a session off.

import type { components } from './schema';
import { asProblem, offline, problemFrom } from './problem';

type SessionAnswer = components['schemas']['Session'];
type Me = components['schemas']['Me'];

export type Person = SessionAnswer['user'];
export type Tenant = NonNullable<SessionAnswer['tenant']>;

export type SessionState =
  | { kind: 'starting' }
  /** `unfinished`: the server could not be told, and would let this browser in again. */
  | { kind: 'signed-out'; unfinished?: boolean }
  /** Signed in with a one-time password: nothing else works before it is changed. */
  | { kind: 'must-change'; person: Person }
  | { kind: 'signed-in'; person: Person; tenant: Tenant | undefined };

/** Set while a person wants to be signed out and the server does not know; the next start of a page tells it first. */
const LEAVING = 'saoma.leaving';

/** Each refresh token is good once, so that the tabs of one browser take turns. */
const REFRESH_LOCK = 'saoma.refresh';

let state: SessionState = { kind: 'starting' };
let accessToken: string | null = null;
let refreshing: Promise<boolean> | null = null;
const listeners = new Set<() => void>();

export function sessionState(): SessionState {
  return state;
}

export function onSession(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function enter(next: SessionState): void {
  state = next;
  for (const listener of listeners) listener();
}

export function bearer(): string | null {
  return accessToken === null ? null : `Bearer ${accessToken}`;
}

function accept(answer: SessionAnswer): void {
  accessToken = answer.access_token;
  welcome(answer);
}

function welcome({ user, tenant }: Me): void {
  if (user.must_change_password) enter({ kind: 'must-change', person: user });
  else enter({ kind: 'signed-in', person: user, tenant: tenant ?? undefined });
}

function forget(unfinished = false): void {
  accessToken = null;
  if (unfinished) localStorage.setItem(LEAVING, '1');
  else localStorage.removeItem(LEAVING);
  enter({ kind: 'signed-out', unfinished });
}

async function ask(method: 'GET' | 'POST', path: string, body?: object): Promise<unknown> {
  const headers: Record<string, string> = {};
  if (body !== undefined) headers['content-type'] = 'application/json';
  const authorization = bearer();
  if (authorization !== null) headers['authorization'] = authorization;
  let response: Response;
  try {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    response = await fetch(path, { method, headers, credentials: 'same-origin', ...sent });
  } catch {
    throw offline();
  }
  const answer: unknown = await response.json().catch(() => null);
  if (!response.ok) throw problemFrom(response.status, answer);
  return answer;
}

/** Picks up where the browser left off, if it did. False: nobody knows, for the server cannot be reached. */
export async function resume(): Promise<boolean> {
  if (localStorage.getItem(LEAVING) !== null) {
    await finishLeaving();
    return true;
  }
  return (await refresh()) || state.kind !== 'starting';
}

export async function signIn(email: string, password: string): Promise<void> {
  accessToken = null;
  const answer = (await ask('POST', '/v1/auth/sign-in', { email, password })) as SessionAnswer;
  // The new session's cookie has taken the place of the old one's.
  localStorage.removeItem(LEAVING);
  accept(answer);
}

/** This session goes on, with all its rights; the person's other ones end. */
export async function changePassword(current: string, next: string): Promise<void> {
  await ask('POST', '/v1/auth/password', { current_password: current, new_password: next });
  welcome((await ask('GET', '/v1/auth/me')) as Me);
}

export async function signOut(): Promise<void> {
  try {
    await ask('POST', '/v1/auth/sign-out');
    forget();
  } catch (error) {
    // The cookie is still there, and no script can take it away: whoever opens this page next would be let in.
    forget(!isOver(error));
  }
}

/** Tells the server what it could not be told before. The person is signed out here whatever comes of it. */
export async function finishLeaving(): Promise<void> {
  try {
    accessToken = ((await ask('POST', '/v1/auth/refresh')) as SessionAnswer).access_token;
    await ask('POST', '/v1/auth/sign-out');
    forget();
  } catch (error) {
    forget(!isOver(error));
  }
}

/** The server does not know this session (any more). */
function isOver(error: unknown): boolean {
  const { status } = asProblem(error);
  return status === 400 || status === 401 || status === 403;
}

/**
 * A new access token, fetched once for all who ask at the same time. False if there is none to be had; a refusal signs
 * the person out, no connection does not.
 */
export function refresh(): Promise<boolean> {
  refreshing ??= renew().finally(() => {
    refreshing = null;
  });
  return refreshing;
}

async function renew(): Promise<boolean> {
  // Only pages from a secure address have locks; on others two tabs may ask at once, and one signs in again.
  if (!('locks' in navigator)) return renewNow();
  return navigator.locks.request(REFRESH_LOCK, renewNow);
}

async function renewNow(): Promise<boolean> {
  try {
    accessToken = null;
    accept((await ask('POST', '/v1/auth/refresh')) as SessionAnswer);
    return true;
  } catch (error) {
    if (isOver(error)) forget();
    return false;
  }
}
