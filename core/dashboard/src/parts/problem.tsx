import { Alert, Button, Code, Group, Text } from '@mantine/core';
import { asProblem, OFFLINE } from '../api/problem';
import { useText } from '../text/text';

/** What went wrong, in the server's words, with the trace for support; in the room's own for the codes that it has `words` for. */
export function ProblemNote({ error, onRetry, words, action }: {
  error: unknown; onRetry?: () => void; words?: Readonly<Record<string, string>>; action?: string;
}) {
  const { t } = useText();
  if (error === null || error === undefined) return null;
  const problem = asProblem(error);
  const isOffline = problem.code === OFFLINE;
  const own = words?.[problem.code];
  const title = isOffline ? t.problem.offlineTitle : own ?? (problem.title || t.problem.unexpectedTitle);
  return (
    <Alert color="red" title={title} role="alert" data-problem={problem.code}>
      {own === undefined && <Text size="sm">{isOffline ? t.problem.offlineDetail : problem.detail}</Text>}
      {problem.traceId !== undefined && (
        <Text size="xs" c="dimmed" mt={4}>{t.problem.trace}: <Code>{problem.traceId}</Code></Text>
      )}
      {onRetry !== undefined && (
        <Group mt="xs">
          <Button size="xs" variant="light" color="red" data-action="retry" onClick={onRetry}>{action ?? t.common.retry}</Button>
        </Group>
      )}
    </Alert>
  );
}
