import { TextInput } from '@mantine/core';
import { useEffect, useState } from 'react';
import { isPeriod } from '../books';

/** A day that is typed or picked; nothing is told before it is one, or empty where that may be. */
export function DayInput({ label, day, mayBeEmpty = false, onChange }: {
  label: string; day: string; mayBeEmpty?: boolean; onChange: (day: string) => void;
}) {
  const [typed, setTyped] = useState(day);
  // It is also changed from elsewhere: by the buttons beside it, or by the browser's way back.
  useEffect(() => setTyped(day), [day]);
  const type = (wanted: string): void => {
    setTyped(wanted);
    if (isPeriod({ from: wanted, to: wanted }) || (mayBeEmpty && wanted === '')) onChange(wanted);
  };
  return <TextInput type="date" size="xs" label={label} value={typed} data-input="day" onChange={(event) => type(event.currentTarget.value)} />;
}
