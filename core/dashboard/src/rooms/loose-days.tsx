// What terminals keyed while no shift was open, where their journals and core do not agree: no batch shows it.

import { Anchor, Badge, Card, Center, Group, Loader, Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from 'react-router';
import { api, got } from '../api/client';
import { Differences } from '../parts/differences';
import { ProblemNote } from '../parts/problem';
import { When } from '../parts/show';
import { useText } from '../text/text';
import { useNames } from './payments';

export function LooseDays() {
  const { t } = useText();
  const names = useNames();
  const legs = useQuery({ queryKey: ['legs'], queryFn: () => got(api.GET('/v1/legs')) });
  const days = legs.data?.days ?? [];
  if (days.length === 0) return <ProblemNote error={legs.error} onRetry={() => void legs.refetch()} />;
  return (
    <Card withBorder data-part="loose-days">
      <Title order={2} size="h4" mb="sm">{t.batches.outside}</Title>
      {days.map(({ terminal, day, differences, since }) => (
        <Group key={`${terminal}/${day}`} gap="sm">
          <Anchor component={Link} to={`/terminals/${terminal}/days/${day}`} size="sm">{names.terminal(terminal)} · {day}</Anchor>
          <Badge color="red" variant="light" tt="none">{t.batches.differences} {differences}</Badge>
          <Text size="xs" c="dimmed"><When at={since} /></Text>
        </Group>
      ))}
    </Card>
  );
}

export function LooseDayRoom() {
  const { t } = useText();
  const { terminal = '', day = '' } = useParams();
  const names = useNames();
  const leg = useQuery({
    queryKey: ['leg', terminal, day],
    queryFn: () => got(api.GET('/v1/terminals/{terminal}/leg', { params: { path: { terminal }, query: { day } } })),
  });
  return (
    <Stack>
      <Title order={1} size="h2">{names.terminal(terminal)} · {day}</Title>
      <ProblemNote error={leg.error} onRetry={() => void leg.refetch()} />
      {leg.isPending && !leg.isError && <Center><Loader /></Center>}
      {leg.data !== undefined && (
        <>
          <Text size="sm">{t.batches.agreed} {leg.data.agreed} / {leg.data.rows}</Text>
          <Differences items={leg.data.differences} />
        </>
      )}
    </Stack>
  );
}
