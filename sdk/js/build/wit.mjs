// Reads the contract's WIT files and writes what TypeScript and the build need of them: types with the contract's own comments,
// and the names of the functions that each interface offers.
//
// It knows as much of WIT as the contract uses (records, variants, enums, aliases, functions) and refuses the rest, so that a
// construct that it does not know cannot become a wrong type.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The interfaces of all WIT files of a folder, and the package's version. */
export function readContract(folder) {
  const files = readdirSync(folder).filter((file) => file.endsWith('.wit')).sort();
  const sources = files.map((file) => readFileSync(join(folder, file), 'utf8'));
  const version = /^package saoma:channel@([0-9.]+);/m.exec(sources[0] ?? '')?.[1];
  if (version === undefined) throw new Error(`${folder} holds no package saoma:channel`);
  return { version, interfaces: sources.flatMap((source) => new Parser(source).interfaces()) };
}

/** What a module of the host is called in an `import`. */
export const specifier = (contract, name) => `saoma:channel/${name}@${contract.version}`;

export const camelCase = (name) => name.replace(/-([a-z0-9])/g, (_, letter) => letter.toUpperCase());

const TOKEN = /(\/\/[^\n]*)|([a-z][a-z0-9-]*)|(->|[{}()<>,:;=_.@/]|[0-9]+)|\s+/y;

class Parser {
  #tokens = [];
  #at = 0;
  #comment = [];

  constructor(source) {
    for (TOKEN.lastIndex = 0; TOKEN.lastIndex < source.length; ) {
      const at = TOKEN.lastIndex;
      const match = TOKEN.exec(source);
      if (match === null) throw new Error(`not WIT as the contract uses it: ${source.slice(at, at + 40)}`);
      if (match[0].trim() !== '') this.#tokens.push(match[0]);
    }
  }

  interfaces() {
    const found = [];
    while (this.#peek() !== undefined) {
      const comment = this.#comments();
      const keyword = this.#next();
      if (keyword === 'package') this.#skipPast(';');
      else if (keyword === 'world') this.#skipPast('}');
      else if (keyword === 'interface') found.push(this.#interface(comment));
      else throw new Error(`${keyword} is not known here`);
    }
    return found;
  }

  #interface(comment) {
    const made = { name: this.#next(), comment, uses: [], types: [], functions: [] };
    this.#expect('{');
    for (;;) {
      const comment = this.#comments();
      const word = this.#next();
      if (word === '}') return made;
      if (word === 'use') made.uses.push(this.#use());
      else if (['record', 'variant', 'enum', 'type'].includes(word)) made.types.push(this.#type(word, comment));
      else made.functions.push(this.#function(word, comment));
    }
  }

  #use() {
    const from = this.#next();
    this.#expect('.');
    this.#expect('{');
    const names = this.#list('}', () => this.#next());
    this.#expect(';');
    return { from, names };
  }

  #type(kind, comment) {
    const name = this.#next();
    if (kind === 'type') {
      this.#expect('=');
      const of = this.#reference();
      this.#expect(';');
      return { kind, name, comment, of };
    }
    this.#expect('{');
    const members = this.#list('}', (comment) => {
      const member = { name: this.#next(), comment, of: null };
      if (kind === 'record') this.#expect(':');
      if (kind === 'record') member.of = this.#reference();
      if (kind === 'variant' && this.#peek() === '(') {
        this.#next();
        member.of = this.#reference();
        this.#expect(')');
      }
      return member;
    });
    return { kind, name, comment, members };
  }

  #function(name, comment) {
    for (const token of [':', 'func', '(']) this.#expect(token);
    const parameters = this.#list(')', () => {
      const name = this.#next();
      this.#expect(':');
      return { name, of: this.#reference() };
    });
    const result = this.#peek() === '->' ? (this.#next(), this.#reference()) : null;
    this.#expect(';');
    return { name, comment, parameters, result };
  }

  /** A type's name with what stands in its angle brackets. */
  #reference() {
    const name = this.#next();
    if (this.#peek() !== '<') return { name, of: [] };
    this.#next();
    return { name, of: this.#list('>', () => this.#reference()) };
  }

  #list(end, item) {
    const items = [];
    for (;;) {
      const comment = this.#comments();
      if (this.#peek() === end) break;
      items.push(item(comment));
      if (this.#peek() === ',') this.#next();
    }
    this.#next();
    return items;
  }

  #comments() {
    const lines = [];
    while (this.#tokens[this.#at]?.startsWith('//')) lines.push(this.#tokens[this.#at++].slice(2).trim());
    return lines;
  }

  #peek() {
    return this.#tokens[this.#at];
  }

  #next() {
    const token = this.#tokens[this.#at++];
    if (token === undefined) throw new Error('the file ends too soon');
    return token;
  }

  #expect(wanted) {
    const token = this.#next();
    if (token !== wanted) throw new Error(`${wanted} is wanted, not ${token}`);
  }

  #skipPast(end) {
    while (this.#next() !== end);
  }
}
