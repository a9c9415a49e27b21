import { Alert, Button, Group, Stack, Text } from '@mantine/core';
import { type Intent, intents, useUnanswered } from '../api/intent';
import { useText } from '../text/text';
import { When } from './show';

/** What was asked for at this place and has no answer: to be asked again under its own key, or keyed in anew as another one. */
/** `anew`: what begins another one, where there can be one beside it. */
export function Unanswered<Said>({ place, words, onAgain, anew }: {
  place: string; words: (said: Said) => string; onAgain: (intent: Intent<Said>) => void; anew: (said: Said) => (() => void) | null;
}) {
  const { t } = useText();
  const all = useUnanswered<Said>(place);
  if (all.length === 0) return null;
  return (
    <Stack gap="xs">
      {all.map((intent) => ({ intent, begin: anew(intent.said) })).map(({ intent, begin }) => (
        <Alert key={intent.key} color="orange" role="alert" data-unanswered={intent.key} title={`${t.unanswered.title}: ${words(intent.said)}`}>
          <Text size="sm"><When at={intent.at} /> · {t.unanswered.hint}</Text>
          <Group gap="xs" mt="xs">
            <Button size="xs" color="orange" variant="light" data-action="ask-again" onClick={() => onAgain(intent)}>{t.unanswered.again}</Button>
            {begin !== null && <Button size="xs" variant="default" data-action="ask-new" onClick={begin}>{t.unanswered.another}</Button>}
            <Button size="xs" variant="default" data-action="put-aside" onClick={() => intents.settle(intent.key)}>{t.unanswered.aside}</Button>
          </Group>
        </Alert>
      ))}
    </Stack>
  );
}

/** In a question: that it is asked again, or that it is another one beside those that have no answer. */
export function AskedAgain({ isInDoubt, others }: { isInDoubt: boolean; others: number }) {
  const { t } = useText();
  if (isInDoubt) return <Text size="sm" fw={600} data-again>{t.unanswered.asAsked}</Text>;
  return others === 0 ? null : <Text size="sm" fw={600} data-another={others}>{t.unanswered.anotherHint}</Text>;
}
