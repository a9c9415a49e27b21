// The tables of GB18030, drawn from Node's own decoder while a channel is bundled: no engine of a component has them.

const NAME = 'saoma:gb18030';

/** An esbuild plugin: what `src/text.ts` imports. */
export const gb18030 = {
  name: 'gb18030',
  setup(build) {
    build.onResolve({ filter: /^saoma:gb18030$/ }, () => ({ path: NAME, namespace: NAME }));
    build.onLoad({ filter: /.*/, namespace: NAME }, () => {
      const { pairs, ranges } = tables();
      return { contents: `export const PAIRS = ${JSON.stringify(pairs)};\nexport const RANGES = ${JSON.stringify(ranges)};` };
    });
  },
};

/** Pointers of the letters of four bytes that are below U+10000, and the first of those above. Source: WHATWG Encoding, 10.2. */
const POINTERS_BELOW = 39_420;

function tables() {
  const decoder = new TextDecoder('gb18030');
  const read = (...bytes) => decoder.decode(Uint8Array.from(bytes));
  let pairs = '';
  for (let lead = 0x81; lead <= 0xfe; lead++) {
    for (let trail = 0x40; trail <= 0xfe; trail++) {
      if (trail === 0x7f) continue;
      const letter = read(lead, trail);
      pairs += letter.length === 1 ? letter : '\ufffd';
    }
  }
  const ranges = [];
  let expected = -1;
  for (let pointer = 0; pointer < POINTERS_BELOW; pointer++) {
    const [first, rest] = [Math.floor(pointer / 12_600), pointer % 12_600];
    const [second, third, fourth] = [Math.floor(rest / 1_260), Math.floor((rest % 1_260) / 10), rest % 10];
    const point = read(0x81 + first, 0x30 + second, 0x81 + third, 0x30 + fourth).codePointAt(0);
    if (point !== expected) ranges.push([pointer, point]);
    expected = point + 1;
  }
  return { pairs, ranges };
}
