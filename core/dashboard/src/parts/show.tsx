// Amounts, states and moments as every room shows them.

import { Badge, Text, Tooltip } from '@mantine/core';
import { useEffect, useState } from 'react';
import type { Money, Payment, PaymentState } from '../api/client';
import { formatMinor } from '../money/money';
import { useText } from '../text/text';
import { ago, moment, shortMoment } from '../time';

export function Amount({ money, fw, size }: { money: Money; fw?: number; size?: string }) {
  return (
    <Text span fw={fw ?? 600} size={size ?? 'sm'} style={{ fontVariantNumeric: 'tabular-nums', whiteSpace: 'nowrap' }}>
      {formatMinor(money.minor, money.currency)} <Text span size="xs" c="dimmed">{money.currency}</Text>
    </Text>
  );
}

const COLORS: Readonly<Record<PaymentState, string>> = {
  created: 'blue', presenting: 'blue', submitting: 'blue', pending: 'blue', unknown: 'orange', succeeded: 'green',
  partly_refunded: 'grape', refunded: 'grape', voided: 'grape', failed: 'red', reversed: 'gray', expired: 'gray',
  cancelled: 'gray',
};

export function StateBadge({ payment }: { payment: Pick<Payment, 'state' | 'paid_late'> }) {
  const { t } = useText();
  return (
    <>
      <Badge color={COLORS[payment.state]} variant="light" miw="max-content" data-state={payment.state} tt="none">{t.states[payment.state]}</Badge>
      {payment.paid_late && <Badge ml={4} color="orange" variant="light" miw="max-content" tt="none">{t.payments.late}</Badge>}
    </>
  );
}

/** The time, told again every `everyMs`. */
export function useNow(everyMs: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

export function When({ at }: { at: number }) {
  const { locale } = useText();
  const now = useNow(60_000);
  return (
    <Tooltip label={moment(at, locale)}>
      <time dateTime={new Date(at).toISOString()} style={{ whiteSpace: 'nowrap' }}>{shortMoment(at, now, locale)}</time>
    </Tooltip>
  );
}

export function Ago({ at }: { at: number }) {
  const { locale } = useText();
  const now = useNow(10_000);
  return (
    <Tooltip label={moment(at, locale)}>
      <time dateTime={new Date(at).toISOString()} style={{ whiteSpace: 'nowrap' }}>{ago(at, now, locale)}</time>
    </Tooltip>
  );
}
