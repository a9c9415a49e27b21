// Lines for the operator's log: at most 50 a call, of at most 1,000 characters. Never a code, a secret or personal data.

import { write } from 'saoma:channel/log@0.2.0';

export const debug = (message: string): void => write('debug', message);
export const info = (message: string): void => write('info', message);
export const warn = (message: string): void => write('warn', message);
export const error = (message: string): void => write('error', message);
