// What all terminals together have not sent, and what that is worth.

import { Card, Group, Text } from '@mantine/core';
import type { Money, Terminal } from '../api/client';
import { fleetTotals } from '../fleet';
import { Ago, Amount } from '../parts/show';
import { useText } from '../text/text';

export function FleetTotals({ terminals }: { terminals: readonly Terminal[] }) {
  const { t } = useText();
  const { count, atRisk, oldestAt, unheard, lost } = fleetTotals(terminals);
  return (
    <Card withBorder data-part="fleet-totals" data-count={count}>
      <Group gap="xs">
        <Text fw={600}>{t.fleet.totals}:</Text>
        {count === 0 ? <Text span>{t.fleet.nothing}</Text> : (
          <>
            <Text span>{count} {t.fleet.entries}</Text>
            <Sums atRisk={atRisk} />
            {oldestAt !== null && <Text span size="sm">{t.fleet.oldest}: <Ago at={oldestAt} /></Text>}
          </>
        )}
      </Group>
      {unheard > 0 && <Text size="sm" c="dimmed" data-unheard={unheard}>{t.fleet.unheard} {unheard}</Text>}
      {lost.count > 0 && (
        <Group gap="xs" data-lost={lost.count}><Text size="sm" c="red">{t.fleet.lost} {lost.count} {t.fleet.entries}</Text><Sums atRisk={lost.atRisk} /></Group>
      )}
      {count > 0 && <Text size="xs" c="dimmed">{t.fleet.sorted}</Text>}
    </Card>
  );
}

/** Nothing where nothing is at risk. */
export function Sums({ atRisk }: { atRisk: readonly Money[] }) {
  const { t } = useText();
  if (atRisk.length === 0) return null;
  return (
    <Group gap={6} data-at-risk={atRisk.map(({ minor, currency }) => `${minor} ${currency}`).join(', ')}>
      <Text span size="sm">{t.fleet.atRisk}:</Text>
      {atRisk.map((money) => <Amount key={money.currency} money={money} />)}
    </Group>
  );
}
