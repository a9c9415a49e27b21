// Where a few words are keyed: the number of a table, a device's name.

import { useEffect, useRef } from 'preact/hooks';
import { REFERENCE_LEN_MAX } from './held';
import { press } from './store';

export function ShortText({ label, keyed }: { label: string; keyed: string }) {
  const field = useRef<HTMLInputElement>(null);
  // For input methods (Chinese, emoji); plain keys come by the window, where a scanner is told from a hand.
  useEffect(() => field.current?.focus(), []);
  const typed = (): void => press({ kind: 'typed', text: field.current?.value ?? '' }, 'key');
  // What an input method has begun is the field's until it ends: the page is drawn meanwhile, and must leave it there.
  const composing = useRef(false);
  return (
    <label class="filter">
      {label}{' '}
      <input
        ref={field}
        data-reference
        value={composing.current ? field.current?.value ?? keyed : keyed}
        maxLength={2 * REFERENCE_LEN_MAX}
        onInput={(event) => {
          if (!event.isComposing) typed();
        }}
        onCompositionStart={() => {
          composing.current = true;
        }}
        onCompositionEnd={() => {
          composing.current = false;
          typed();
        }}
      />
    </label>
  );
}
