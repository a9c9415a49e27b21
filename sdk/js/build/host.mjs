// The host's modules in tests: each function asks `globalThis.saomaHost`, which `src/testing.ts` fills.

import { camelCase, readContract, specifier } from './wit.mjs';

const NAMESPACE = 'saoma-host';

/** An esbuild plugin: `saoma:channel/…` stays an import for the component, and becomes a stand-in in tests. */
export function hostModules(folder, { standIn }) {
  const contract = readContract(folder);
  const modules = new Map(contract.interfaces.map((one) => [specifier(contract, one.name), one]));
  return {
    name: 'host-modules',
    setup(build) {
      build.onResolve({ filter: /^saoma:/ }, ({ path }) => {
        if (!modules.has(path)) return { errors: [{ text: `the contract has no ${path}` }] };
        return standIn ? { path, namespace: NAMESPACE } : { path, external: true, sideEffects: false };
      });
      build.onLoad({ filter: /.*/, namespace: NAMESPACE }, ({ path }) => ({ contents: stand(modules.get(path)) }));
    },
  };
}

function stand({ name, functions }) {
  const lines = functions.map((one) => {
    const called = camelCase(one.name);
    return `const _${called} = (...given) => globalThis.saomaHost['${name}'].${called}(...given);\nexport { _${called} as ${called} };`;
  });
  return `${lines.join('\n')}\nexport {};`;
}
