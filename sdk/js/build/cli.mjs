#!/usr/bin/env node
// The author's tool: `saoma-channel build`, `test` and `types`.

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { buildComponent } from './component.mjs';
import { gb18030 } from './gb18030.mjs';
import { hostModules } from './host.mjs';
import { tool } from './tools.mjs';
import { declarations } from './types.mjs';
import { readContract } from './wit.mjs';

const CONTRACT = fileURLToPath(new URL('../../wit/0.2.0', import.meta.url));
const TYPES = fileURLToPath(new URL('../types/contract.d.ts', import.meta.url));

const HELP = `saoma-channel build [ENTRY] --out FILE
    Makes a component of the module ENTRY (src/channel.ts) and all that it imports. Does nothing if none of it changed.
saoma-channel test [FILTER]
    Runs test/*.test.ts under node --test, with the host's modules played by the tests.
saoma-channel types [--check]
    Writes the SDK's types from the contract, or says whether they fit it.`;

const COMMANDS = {
  async build([entry = 'src/channel.ts'], { out }) {
    if (out === undefined) throw new Error('--out names the component to write');
    await buildComponent({ entry, out: resolve(out), contract: CONTRACT });
  },

  async test([filter = '']) {
    const outdir = resolve('dist/test');
    rmSync(outdir, { recursive: true, force: true });
    const tests = readdirSync('test').filter((file) => file.endsWith('.test.ts') && file.includes(filter));
    if (tests.length === 0) throw new Error(`no test/*.test.ts has ${filter} in its name`);
    const esbuild = await tool('esbuild');
    await esbuild.module.build({
      entryPoints: tests.map((file) => join('test', file)),
      bundle: true,
      platform: 'node',
      format: 'esm',
      outdir,
      outExtension: { '.js': '.mjs' },
      sourcemap: 'inline',
      plugins: [gb18030, hostModules(CONTRACT, { standIn: true })],
    });
    const files = tests.map((file) => join(outdir, file.replace(/\.ts$/, '.mjs')));
    const { status } = spawnSync(process.execPath, ['--enable-source-maps', '--test', ...files], { stdio: 'inherit' });
    process.exitCode = status ?? 1;
  },

  async types(_, { check = false }) {
    const text = declarations(readContract(CONTRACT));
    if (!check) return writeFileSync(TYPES, text);
    if (readFileSync(TYPES, 'utf8') !== text) throw new Error('types/contract.d.ts is not what sdk/wit says: npm run types');
  },
};

try {
  const options = { out: { type: 'string' }, check: { type: 'boolean' } };
  const { positionals, values } = parseArgs({ options, allowPositionals: true });
  const command = COMMANDS[positionals[0] ?? ''];
  if (command === undefined) {
    console.error(HELP);
    process.exitCode = 2;
  } else {
    await command(positionals.slice(1), values);
  }
} catch (error) {
  console.error(`saoma-channel: ${error.message}`);
  process.exitCode = 1;
}
