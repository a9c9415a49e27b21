// Text that comes in another encoding than UTF-8, as bills of older schemes do.

import { PAIRS, RANGES } from 'saoma:gb18030';
import { latin1, utf8Lossy } from './bytes.ts';
import { noAnswer } from './failed.ts';

const GB18030 = ['gb18030', 'gbk', 'gb2312', 'gb_2312', 'gb_2312-80', 'chinese', 'x-gbk'];
const UTF_8 = ['utf-8', 'utf8'];

/** What stands for bytes that are no text. */
const MARK = '\ufffd';

/**
 * The text of an answer's `body`, in the encoding that its `contentType` names: UTF-8 without one. A byte order mark is believed
 * before it, and taken away.
 *
 * Decode once a signature over the bytes is verified, and before anything is looked for in them: a letter of GB18030 may have a `\` or
 * a `|` for its second byte. Bytes that are no text become U+FFFD and harm nothing around them; a field that you match by and that has
 * the mark (`isGarbled`) makes its row `unreadable`.
 *
 * @throws `no-answer` for an encoding other than UTF-8 and GB18030 (with its older names GBK and GB 2312).
 */
export function text(body: Uint8Array, contentType: string): string {
  const named = /;\s*charset\s*=\s*"?([^";]*)/i.exec(contentType)?.[1]?.trim();
  const label = named?.toLowerCase() ?? 'utf-8';
  const hasMark = body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf;
  if (!UTF_8.includes(label) && !GB18030.includes(label)) throw noAnswer(`its encoding ${JSON.stringify(named)} is not known`);
  return hasMark || UTF_8.includes(label) ? utf8Lossy(body) : gb18030(body);
}

/** Whether bytes of it were no text. */
export const isGarbled = (text: string): boolean => text.includes(MARK);

/** Source: WHATWG Encoding, "gb18030 decoder". What does not go on as a letter is one mark, and is read anew from its second byte. */
function gb18030(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const start = at;
    while ((bytes[at] ?? 0x80) < 0x80) at++;
    parts.push(latin1(bytes.subarray(start, at)));
    if (at === bytes.length) break;
    const first = bytes[at++] ?? 0;
    const second = bytes[at] ?? 0;
    if (first === 0x80 || first === 0xff) {
      parts.push(MARK);
    } else if (second >= 0x30 && second <= 0x39) {
      const letter = ofFour(first, second, bytes[at + 1] ?? 0, bytes[at + 2] ?? 0);
      if (letter !== null) at += 3;
      parts.push(letter ?? MARK);
    } else {
      const letter = ofTwo(first, second);
      // An ASCII byte stands for itself, whatever came before.
      if (letter !== MARK || second >= 0x80) at++;
      parts.push(letter);
    }
  }
  return parts.join('');
}

/** 190 trail bytes a lead byte: 0x40 to 0xFE without 0x7F. */
function ofTwo(lead: number, trail: number): string {
  if (trail < 0x40 || trail === 0x7f || trail === 0xff) return MARK;
  return PAIRS[(lead - 0x81) * 190 + trail - (trail < 0x7f ? 0x40 : 0x41)] ?? MARK;
}

/** The pointer from which letters of four bytes are those above U+FFFF. */
const POINTER_ABOVE = 189_000;

function ofFour(first: number, second: number, third: number, fourth: number): string | null {
  if (third < 0x81 || third > 0xfe || fourth < 0x30 || fourth > 0x39) return null;
  const pointer = (((first - 0x81) * 10 + second - 0x30) * 126 + third - 0x81) * 10 + fourth - 0x30;
  if (pointer >= POINTER_ABOVE) {
    const point = 0x10000 + pointer - POINTER_ABOVE;
    return point <= 0x10ffff ? String.fromCodePoint(point) : null;
  }
  const [start, point] = RANGES.findLast(([start]) => start <= pointer) ?? [0, 0];
  return pointer < 39_420 ? String.fromCodePoint(point + pointer - start) : null;
}
