// The contract as TypeScript, comments included. See README.md for what each WIT type becomes.

import { camelCase, specifier } from './wit.mjs';

const NUMBERS = ['u8', 'u16', 'u32', 's8', 's16', 's32', 's64', 'u64'];

/** The text of `types/contract.d.ts`. */
export function declarations(contract) {
  const modules = contract.interfaces.map((one) => module(contract, one));
  return `// Written by \`npm run types\` from sdk/wit/${contract.version}: do not edit.\n\n${modules.join('\n')}`;
}

const pascalCase = (name) => camelCase(`-${name}`);

function module(contract, one) {
  const uses = one.uses.map(({ from, names }) => {
    const list = names.map(pascalCase).join(', ');
    const source = specifier(contract, from);
    return [`  import type { ${list} } from '${source}';`, `  export type { ${list} };`].join('\n');
  });
  const types = one.types.map((type) => docs(type.comment, 2) + typeOf(type));
  // What the channel exports is one interface to implement; what the host offers are functions to call.
  const exported = one.name === 'channel';
  const functions = one.functions.map((func) => docs(comment(func), exported ? 4 : 2) + functionOf(func, exported));
  const body = exported ? [`  export interface Channel {\n${functions.join('\n')}\n  }`] : functions;
  return `${docs(one.comment, 0)}declare module '${specifier(contract, one.name)}' {\n${[...uses, ...types, ...body].join('\n\n')}\n}\n`;
}

function typeOf({ kind, name, of, members }) {
  const named = pascalCase(name);
  switch (kind) {
    case 'type':
      return `  export type ${named} = ${reference(of)};`;
    case 'record':
      return `  export interface ${named} {\n${members.map((field) => `${docs(field.comment, 4)}    ${camelCase(field.name)}: ${reference(field.of)};`).join('\n')}\n  }`;
    case 'enum':
      return `  export type ${named} =\n${members.map((one) => `${docs(one.comment, 4)}    | '${one.name}'`).join('\n')};`;
    case 'variant':
      return `  export type ${named} =\n${members.map((one) => `${docs(one.comment, 4)}    | ${variantOf(one)}`).join('\n')};`;
    default:
      throw new Error(`${kind} is not known`);
  }
}

const variantOf = ({ name, of }) => (of === null ? `{ tag: '${name}' }` : `{ tag: '${name}'; val: ${reference(of)} }`);

function functionOf({ name, parameters, result }, isMethod) {
  const list = parameters.map((one) => `${camelCase(one.name)}: ${reference(one.of)}`).join(', ');
  const returns = result === null ? 'void' : reference(result.name === 'result' ? result.of[0] : result);
  if (isMethod) return `    ${camelCase(name)}(${list}): ${returns};`;
  // A word of the language may be exported, but not declared.
  if (name === 'delete') return `  function _delete(${list}): ${returns};\n\n  export { _delete as delete };`;
  return `  export function ${camelCase(name)}(${list}): ${returns};`;
}

function comment({ comment, result }) {
  return result?.name === 'result' ? [...comment, `@throws {${reference(result.of[1])}}`] : comment;
}

function reference({ name, of }) {
  if (NUMBERS.includes(name)) return 'number';
  switch (name) {
    case 'string':
      return 'string';
    case 'bool':
      return 'boolean';
    case '_':
      return 'void';
    case 'list':
      return of[0].name === 'u8' ? 'Uint8Array' : `${bracketed(reference(of[0]))}[]`;
    case 'tuple':
      return `[${of.map(reference).join(', ')}]`;
    case 'option':
      return `${reference(of[0])} | null`;
    case 'result':
      throw new Error('a result within a type is not known');
    default:
      return of.length === 0 ? pascalCase(name) : unknown(name);
  }
}

const bracketed = (type) => (type.includes('|') ? `(${type})` : type);

function unknown(name) {
  throw new Error(`${name}<…> is not known`);
}

function docs(lines, indent) {
  if (lines.length === 0) return '';
  const space = ' '.repeat(indent);
  if (lines.length === 1) return `${space}/** ${lines[0]} */\n`;
  return `${space}/**\n${lines.map((line) => `${space} * ${line}`).join('\n')}\n${space} */\n`;
}
