// Signed packages for the stories: the sandbox channel under another version, with a publisher's word that the kit has passed it.
// The word is given here without playing the cases: the stories are about what the dashboard shows of it.

import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { readFile } from 'node:fs/promises';

const ROOT = new URL('../../../', import.meta.url);
const TYPE = 'application/vnd.saoma.plugin+json';
/** Of the sandbox's manifest, as core will find them in the component. */
const OFFERS = ['bills', 'cancel', 'customer-presented', 'merchant-presented', 'notifications', 'partial-refund', 'refund', 'secrets'];
/** The kit that states them, and the contract they are of: core/channels/src/conformance/table.rs and sdk/wit. */
const [KIT, CONTRACT] = ['1', '0.2.0'];
/** What a far side may be without: the one case that the stories look for. */
export const UNPLAYED = { case: 'notification-of-refund', why: 'this story’s far side tells of payments alone' };

export function publisher() {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const der = publicKey.export({ type: 'spki', format: 'der' });
  return {
    pem: publicKey.export({ type: 'spki', format: 'pem' }), privateKey,
    /** SHA-256 of the 32 bytes that end the key's structure. */
    keyId: createHash('sha256').update(der.subarray(-32)).digest('hex'),
  };
}

/** Every case of the kit with what it needs, out of the table that the kit itself reads. */
async function cases() {
  const table = await readFile(new URL('sdk/conformance/cases.toml', ROOT), 'utf8');
  const words = (row, key) => [...(new RegExp(`^${key} = \\[([^\\]]*)\\]`, 'm').exec(row)?.[1] ?? '').matchAll(/"([^"]*)"/g)].map(([, word]) => word);
  return table.split(/^\[\[case\]\]$/m).slice(1).flatMap((row) => {
    const name = /^name = "([^"]*)"/m.exec(row)[1];
    const each = words(row, 'each');
    return (each.length === 0 ? [name] : each.map((word) => name.replace('{}', word))).map((one) => ({ case: one, needs: words(row, 'needs') }));
  });
}

function unmet(needs) {
  return needs.find((need) => {
    const word = need.replace(/^not /, '');
    const has = word === 'codes' || OFFERS.includes(word);
    return has === need.startsWith('not ');
  });
}

/** The bytes to publish, and the package's name. */
export async function pack({ privateKey, keyId }, version) {
  const component = await readFile(new URL('target/plugins/sandbox.wasm', ROOT));
  const at = component.indexOf('sandbox0.1.0Sandbox');
  if (at < 0 || version.length !== 5) throw new Error('the sandbox says its version in another way by now');
  component.write(version, at + 'sandbox'.length);
  const hash = createHash('sha256').update(component).digest('hex');
  const verdicts = (await cases()).map(({ case: name, needs }) => {
    if (name === UNPLAYED.case) return { ...UNPLAYED, verdict: 'skipped' };
    const missing = unmet(needs);
    return missing === undefined ? { case: name, verdict: 'passed' } : { case: name, verdict: 'skipped', why: `the manifest does not declare ${missing}` };
  });
  const payload = Buffer.from(JSON.stringify({
    format: 1, plugin: 'sandbox', version, contract: CONTRACT, component_sha256: hash, component_bytes: component.length, offers: OFFERS,
    kit: { version: KIT, cases: verdicts },
  }));
  const signed = Buffer.concat([Buffer.from(`DSSEv1 ${TYPE.length} ${TYPE} ${payload.length} `), payload]);
  const envelope = { payload: payload.toString('base64'), payloadType: TYPE, signatures: [{ keyid: keyId, sig: sign(null, signed, privateKey).toString('base64') }] };
  return { hash, version, body: Buffer.concat([Buffer.from(`${JSON.stringify(envelope)}\n`), component]) };
}
