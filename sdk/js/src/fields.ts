// Reading JSON of the scheme's, field by field: what is not as the protocol says is an error that names the field.

import type { Account } from 'saoma:channel/types@0.2.0';
import { utf8 } from './bytes.ts';
import { misconfigured, noAnswer } from './failed.ts';

/** One JSON object. Fields that nobody asks for are ignored, as schemes add some. */
export class Fields {
  readonly #object: Readonly<Record<string, unknown>>;

  /** @throws `no-answer` if it is no object. */
  constructor(value: unknown) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw noAnswer('what came is no JSON object');
    this.#object = value as Record<string, unknown>;
  }

  /** @throws `no-answer` if it is missing or no text. */
  text(name: string): string {
    const value = this.#field(name);
    return typeof value === 'string' ? value : refuse(name, 'text');
  }

  /** `null` if it is missing or null. @throws `no-answer` if it is anything but text. */
  textOrNull(name: string): string | null {
    return this.#isAbsent(name) ? null : this.text(name);
  }

  /** @throws `no-answer` if it is missing or no whole number that is exact (up to 2^53). */
  whole(name: string): number {
    const value = this.#field(name);
    return Number.isSafeInteger(value) ? (value as number) : refuse(name, 'a whole number');
  }

  /** `null` if it is missing or null. @throws `no-answer` if it is anything but a whole number. */
  wholeOrNull(name: string): number | null {
    return this.#isAbsent(name) ? null : this.whole(name);
  }

  /** @throws `no-answer` if it is missing or no list. */
  list(name: string): unknown[] {
    const value = this.#field(name);
    return Array.isArray(value) ? value : refuse(name, 'a list');
  }

  #isAbsent(name: string): boolean {
    return (this.#field(name) ?? null) === null;
  }

  #field(name: string): unknown {
    return Object.hasOwn(this.#object, name) ? this.#object[name] : undefined;
  }
}

/**
 * The JSON object of an answer's body.
 *
 * @throws `no-answer` if it is not UTF-8, not JSON, or no object.
 */
export function fields(body: Uint8Array): Fields {
  const text = utf8(body);
  if (text === null) throw noAnswer('what came is not UTF-8');
  return parseJson(text);
}

/**
 * The JSON object in a text.
 *
 * @throws `no-answer` if it is not JSON, or no object.
 */
export function parseJson(text: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The engine's own words quote what was read, which may be a customer's.
    throw noAnswer('what came is no JSON');
  }
  return new Fields(value);
}

/**
 * The account's settings, which the host has checked against your schema.
 *
 * @throws `misconfigured`, naming the field, if yours wants what the schema does not.
 */
export function settings<Settings>(account: Account, read: (fields: Fields) => Settings): Settings {
  try {
    return read(parseJson(account.settingsJson));
  } catch (error) {
    throw misconfigured(`the settings: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function refuse(name: string, wanted: string): never {
  throw noAnswer(`${name} is not ${wanted}`);
}
