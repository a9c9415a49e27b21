// What deciding a discrepancy books, in words and figures.

import { Group, Text } from '@mantine/core';
import type { Discrepancy } from '../api/client';
import { net } from '../reconciliation';
import { useText } from '../text/text';
import { Amount } from './show';

export function Correction({ discrepancy }: { discrepancy: Discrepancy }) {
  const { t } = useText();
  const { correction } = discrepancy;
  const left = net(discrepancy);
  if (correction == null || left === null) return null;
  const { amount, fee } = correction;
  const lines = [
    [amount.minor > 0 ? t.recon.moreThere : t.recon.lessThere, amount], [fee.minor > 0 ? t.recon.feeMore : t.recon.feeLess, fee],
    [left.minor > 0 ? t.recon.paysMore : t.recon.paysLess, left],
  ] as const;
  return (
    <div data-correction={`${amount.minor} ${fee.minor}`}>
      {lines.filter(([, money]) => money.minor !== 0).map(([words, money]) => (
        <Group key={words} justify="space-between" wrap="nowrap"><Text size="sm">{words}</Text><Amount money={{ ...money, minor: Math.abs(money.minor) }} /></Group>
      ))}
    </div>
  );
}
