// UnionPay's rules for 5.1.0 with libraries that are not ours: forms by qs, hashes, RSA and X.509 by node-forge.

import forge from 'node-forge';
import qs from 'qs';
import { readFileSync } from 'node:fs';

const key = (name) => readFileSync(new URL(`../../schemes/keys/unionpay/${name}`, import.meta.url), 'utf8');

export const merchant = {
  certificate: forge.pki.certificateFromPem(key('merchant-sign.pem')),
  privateKey: forge.pki.privateKeyFromPem(key('merchant-sign.key')),
};

const authorities = forge.pki.createCaStore([key('root.pem'), key('middle.pem')]);

/** SHA-256 in hex over the sorted fields, as the SDK's createLinkString orders them; RSA with SHA-256 signs that text once more. */
function digest(fields) {
  const names = Object.keys(fields).filter((name) => name !== 'signature').sort();
  const text = names.map((name) => `${name}=${fields[name]}`).join('&');
  const hashed = forge.md.sha256.create().update(text, 'utf8').digest().toHex();
  return forge.md.sha256.create().update(hashed, 'utf8');
}

export const sign = (fields) => forge.util.encode64(merchant.privateKey.sign(digest(fields)));

export function verifies(fields, publicKey) {
  try {
    return publicKey.verify(digest(fields).digest().bytes(), forge.util.decode64(fields.signature ?? ''));
  } catch {
    return false;
  }
}

/** As the SDK does it: the certificate in the message must lead to UnionPay's root, and be one for signing. */
export function isFromScheme(fields) {
  const certificate = forge.pki.certificateFromPem(fields.signPubKeyCert);
  const name = certificate.subject.getField('CN').value.split('@');
  if (name[2] !== '00040000:SIGN') return false;
  forge.pki.verifyCertificateChain(authorities, [certificate]);
  return verifies(fields, certificate.publicKey);
}

/** A body of `application/x-www-form-urlencoded`; a name that is there twice would become an array. */
export const fromForm = (body) => qs.parse(body, { parameterLimit: 300, depth: 0, interpretNumericEntities: false });

export const toForm = (fields) => qs.stringify(fields, { format: 'RFC1738' });

/** A synchronous answer: not encoded, the PEM with its line breaks. */
export function fromAnswer(text) {
  const fields = {};
  for (const field of text.split('&')) {
    const at = field.indexOf('=');
    fields[field.slice(0, at)] = field.slice(at + 1);
  }
  return fields;
}
