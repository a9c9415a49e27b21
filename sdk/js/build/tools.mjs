// The bundler and the engine, as the channel's own package.json locks them: which ones make a component is the channel's to say.

import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** The module and the version of a package that the folder in which the tool was started has installed. */
export async function tool(name) {
  const folders = createRequire(join(process.cwd(), 'package.json')).resolve.paths(name) ?? [];
  const folder = folders.map((path) => join(path, name)).find((path) => existsSync(join(path, 'package.json')));
  if (folder === undefined) throw new Error(`${name} is not installed here: npm install --save-exact --save-dev ${name}`);
  const { version, main, exports } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const module = await import(pathToFileURL(join(folder, main ?? exports.import)));
  return { module, version };
}
