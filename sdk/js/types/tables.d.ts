// What build/gb18030.mjs makes.

declare module 'saoma:gb18030' {
  /** Letters of two bytes: 190 for each first byte from 0x81 on; U+FFFD where there is none. */
  export const PAIRS: string;
  /** Letters of four bytes below U+10000: each pointer from which code points follow one another, and the first of them. */
  export const RANGES: [number, number][];
}
