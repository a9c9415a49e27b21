// From a module to a component: bundled into one file, run up to the end of its top level, and frozen there with the engine.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { gb18030 } from './gb18030.mjs';
import { hostModules } from './host.mjs';
import { tool } from './tools.mjs';
import { readContract, specifier } from './wit.mjs';

/** QuickJS, frozen by Wizer. README.md has the figures against the other engine there is. */
const ENGINE = 'componentize-qjs';

const OPTIONS = {
  world: 'payment-channel',
  // The contract has no asynchronous functions, and the host needs none.
  sync: true,
  // It would take the imports of WASI away, and put a third linear memory in their place: the host takes two. Nothing is behind
  // those imports in the host, and src/environment.ts lets no channel come to the two that would answer.
  stubWasi: false,
};

/** Writes the component `out`, unless it is there and was made of the very same. Says what it did on standard error. */
export async function buildComponent({ entry, out, contract }) {
  const engine = await tool(ENGINE);
  const esbuild = await tool('esbuild');
  const bundled = await esbuild.module.build({
    entryPoints: [entry],
    bundle: true,
    format: 'esm',
    target: 'es2023',
    // Names in a stack trace are worth more than the few KiB.
    minify: false,
    charset: 'utf8',
    metafile: true,
    write: false,
    plugins: [gb18030, hostModules(contract, { standIn: false })],
  });
  const source = bundled.outputFiles[0].text;
  const used = Object.values(bundled.metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path));
  // This file says how the engine is called: its text stands for that.
  const how = readFileSync(new URL(import.meta.url), 'utf8');
  const stamp = digest([source, JSON.stringify(readContract(contract)), engine.version, how]);
  const stampFile = `${out}.stamp`;
  if (existsSync(out) && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) {
    console.error(`${basename(out)} is up to date`);
    return;
  }
  mkdirSync(dirname(out), { recursive: true });
  const path = join(dirname(out), `${basename(out, '.wasm')}.js`);
  writeFileSync(path, source);
  const witPath = narrowed(contract, used, `${out}.wit`);
  const component = await made(engine.module, { ...OPTIONS, witPath, jsSource: source, jsPath: path });
  writeFileSync(out, component);
  writeFileSync(stampFile, stamp);
  console.error(`${basename(out)}: ${component.length} bytes, by ${ENGINE} ${engine.version}`);
}

async function made({ componentize }, options) {
  try {
    return (await componentize(options)).component;
  } catch (error) {
    const asked = /unknown import: `saoma:channel\/([^@`]+)[^#`]*#([^`]+)`/.exec(error.message);
    if (asked === null) throw error;
    throw new Error(`the top level of a module calls ${asked[1]}.${asked[2]}: there is no host while the component is made, so ask it in a function of the channel`);
  }
}

/**
 * The contract with a world that imports what the channel uses, and no more: so that it asks for nothing it has no use for, and runs
 * on hosts of the same version that are older than an interface it does not know.
 */
function narrowed(contract, used, folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const { version } = readContract(contract);
  for (const file of readdirSync(contract)) {
    const text = readFileSync(join(contract, file), 'utf8');
    const keep = (line, name) => (used.includes(specifier({ version }, name)) ? line : '');
    writeFileSync(join(folder, file), text.replace(/^ {2}import ([a-z-]+);\n/gm, keep));
  }
  return folder;
}

function digest(parts) {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}\n${part}`);
  return hash.digest('hex');
}
