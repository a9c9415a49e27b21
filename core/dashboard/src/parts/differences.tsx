// Where a terminal's journal and core do not agree: of a batch, or of a day.

import { Anchor, Button, Card, Group, Text, TextInput, Title } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'react-router';
import { api, type BatchDifference, got } from '../api/client';
import { useKeys } from '../api/wish';
import { useText, wordFor } from '../text/text';
import { ProblemNote } from './problem';
import { Amount } from './show';

export function Differences({ batch, items }: { batch?: string; items: readonly BatchDifference[] }) {
  const { t } = useText();
  return (
    <Card withBorder data-part="differences">
      <Title order={2} size="h4" mb="sm">{t.batches.leg}</Title>
      {items.length === 0 && <Text c="dimmed" size="sm">{t.batches.agree}</Text>}
      {items.map((item) => (
        <Group key={item.subject} gap="xs" {...(item.closed_at == null ? {} : { c: 'dimmed' })} data-difference={item.class}>
          {item.subject.startsWith('pay_')
            ? <Anchor component={Link} to={`/payments/${item.subject}`} size="sm">{item.subject}</Anchor>
            : <Text size="sm">{item.subject}</Text>}
          <Text size="sm" fw={600}>{wordFor(t.batches.classes, item.class)}</Text>
          {item.terminal != null && <Text size="sm">{t.batches.terminal}: <Amount money={item.terminal.amount} /> {item.terminal.state ?? ''}</Text>}
          {item.core != null && <Text size="sm">{t.batches.core}: <Amount money={item.core.amount} /> {item.core.state ?? ''}</Text>}
          <Text size="sm">{item.closed_at == null ? wordFor(t.batches.fixes, item.fix) : t.batches.over_now}</Text>
          {batch !== undefined && item.class === 'uncounted' && item.closed_at == null && <Accept batch={batch} />}
        </Group>
      ))}
    </Card>
  );
}

/** Ends what no comparison ends: somebody has looked for the cash. */
function Accept({ batch }: { batch: string }) {
  const { t } = useText();
  const queries = useQueryClient();
  const [reason, setReason] = useState('');
  const keys = useKeys();
  const accept = useMutation({
    mutationFn: () => {
      const body = { reason: reason.trim() };
      const params = { path: { batch }, header: { 'Idempotency-Key': keys.of(body) } };
      return got(api.POST('/v1/batches/{batch}/uncounted/accept', { params, body }));
    },
    onSuccess: () => queries.invalidateQueries({ queryKey: ['batch', batch] }),
  });
  return (
    <Group gap="xs">
      <TextInput
        size="xs" aria-label={t.hand.whatWasDone} placeholder={t.hand.whatWasDone} value={reason} maxLength={128}
        onChange={(event) => setReason(event.currentTarget.value)}
      />
      <Button
        size="compact-sm" variant="light" disabled={reason.trim() === ''} loading={accept.isPending} onClick={() => accept.mutate()}
      >
        {t.batches.accept}
      </Button>
      <ProblemNote error={accept.error} />
    </Group>
  );
}
