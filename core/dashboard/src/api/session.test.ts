// Signing out while the server is away: this browser must not let the next person in.

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { finishLeaving, resume, sessionState, signIn, signOut } from './session';

const SESSION = {
  access_token: 'token', user: { must_change_password: false, login: 'li@tea.example', role: 'owner' }, tenant: null,
};

let asked: string[] = [];
let answers: Record<string, () => Response | Promise<Response>> = {};

beforeEach(() => {
  const kept = new Map<string, string>();
  vi.stubGlobal('localStorage', {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => kept.set(name, value),
    removeItem: (name: string) => kept.delete(name),
  });
  vi.stubGlobal('fetch', async (path: string) => {
    asked.push(path);
    const answer = answers[path];
    if (answer === undefined) throw new TypeError('no network');
    return answer();
  });
  asked = [];
  answers = {
    '/v1/auth/sign-in': () => Response.json(SESSION),
    '/v1/auth/refresh': () => Response.json(SESSION),
    '/v1/auth/sign-out': () => new Response(null, { status: 204 }),
  };
});

afterEach(() => vi.unstubAllGlobals());

test('a sign-out that the server heard is over', async () => {
  await signIn('li@tea.example', 'a long password');
  await signOut();
  expect(sessionState()).toEqual({ kind: 'signed-out', unfinished: false });
});

test('one that it did not hear is said, and finished at the next start instead of signing in again', async () => {
  await signIn('li@tea.example', 'a long password');
  const { '/v1/auth/sign-out': heard, ...away } = answers;
  answers = {};
  await signOut();
  expect(sessionState()).toEqual({ kind: 'signed-out', unfinished: true });
  await finishLeaving();
  expect(sessionState()).toEqual({ kind: 'signed-out', unfinished: true });
  answers = { ...away, '/v1/auth/sign-out': heard as () => Response };
  asked = [];
  await resume();
  expect(asked).toEqual(['/v1/auth/refresh', '/v1/auth/sign-out']);
  expect(sessionState()).toEqual({ kind: 'signed-out', unfinished: false });
});

test('a session that is over anyway needs no telling', async () => {
  await signIn('li@tea.example', 'a long password');
  answers['/v1/auth/sign-out'] = () => Response.json({ code: 'unauthenticated' }, { status: 401 });
  await signOut();
  expect(sessionState()).toEqual({ kind: 'signed-out', unfinished: false });
});
