// Text and bytes. QuickJS has no TextDecoder, and schemes speak UTF-8: so it is here.
//
// The engine interprets, some 0.3 s for a megabyte that is looked at byte by byte. What it has ready-made for URLs does the same work
// as machine code: text with a %XX for each byte, and back.

/** The text's UTF-8. Half a surrogate pair, which no text of the host's has, becomes U+FFFD. */
export function utf8Bytes(text: string): Uint8Array {
  const letters = unescape(encodeURIComponent(text.toWellFormed()));
  const bytes = new Uint8Array(letters.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = letters.charCodeAt(at);
  return bytes;
}

/** The text of these bytes; `null` if they are not UTF-8. */
export function utf8(bytes: Uint8Array): string | null {
  const parts: string[] = [];
  for (const piece of pieces(bytes)) {
    const text = strictly(piece);
    if (text === null) return null;
    parts.push(text);
  }
  return parts.join('');
}

/**
 * The same with U+FFFD for what is no UTF-8, so that it harms nothing around it, and without a byte order mark. For bills, once their
 * signature is verified: a row with the mark in a field that you match by is `unreadable`.
 */
export function utf8Lossy(bytes: Uint8Array): string {
  const hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  const parts: string[] = [];
  for (const piece of pieces(hasMark ? bytes.subarray(3) : bytes)) parts.push(strictly(piece) ?? marked(piece));
  return parts.join('');
}

/** One letter U+0000 to U+00FF for each byte. */
export function latin1(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += PIECE) {
    // Takes anything that has a length; the type says an array.
    parts.push(String.fromCharCode.apply(null, bytes.subarray(at, at + PIECE) as unknown as number[]));
  }
  return parts.join('');
}

/** Bytes of which one string is made at once: arguments of a call, which the engine keeps on its stack. */
const PIECE = 4_096;

/** The bytes in pieces that end where a letter may end: before a byte that does not go on with one. */
function* pieces(bytes: Uint8Array): Generator<Uint8Array> {
  for (let start = 0; start < bytes.length; ) {
    let end = Math.min(start + PIECE, bytes.length);
    // Three bytes go on with a letter at most: after more of them, any place will do.
    for (let back = 0; back < 4 && end < bytes.length; back++) {
      if (((bytes[end - back] ?? 0) & 0xc0) === 0x80) continue;
      end -= back;
      break;
    }
    yield bytes.subarray(start, end);
    start = end;
  }
}

function strictly(bytes: Uint8Array): string | null {
  try {
    return decodeURIComponent(escape(latin1(bytes)));
  } catch {
    return null;
  }
}

/** Source: WHATWG Encoding, "UTF-8 decoder": one U+FFFD for each longest beginning of a letter that does not go on. */
function marked(bytes: Uint8Array): string {
  const points: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const lead = bytes[at++] ?? 0;
    let point = lead;
    if (lead >= 0x80) {
      const n_more = lead >= 0xc2 && lead <= 0xdf ? 1 : (lead & 0xf0) === 0xe0 ? 2 : lead >= 0xf0 && lead <= 0xf4 ? 3 : 0;
      // No long form of a short letter, no half of a pair, nothing beyond U+10FFFF.
      let lowest = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
      let highest = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
      let n_read = 0;
      point = lead & (0x3f >> n_more);
      for (; n_read < n_more; n_read++) {
        const byte = bytes[at] ?? 0;
        if (byte < lowest || byte > highest) break;
        [lowest, highest] = [0x80, 0xbf];
        point = (point << 6) | (byte & 0x3f);
        at++;
      }
      if (n_more === 0 || n_read < n_more) point = 0xfffd;
    }
    points.push(point);
  }
  return String.fromCodePoint(...points);
}
