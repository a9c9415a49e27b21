// A person's word about a loss: why it is over, and the one thing that may be done with it besides.

import { Button, Checkbox, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { type Intent, useIntent, useUnanswered } from '../api/intent';
import { useText } from '../text/text';
import { ProblemNote } from './problem';
import { AskedAgain } from './unanswered';

/** What was said of the loss of a payment, with what is done besides under its own name. */
export type Ending<Also extends string> = { payment: string; reason: string } & Record<Also, boolean>;

export function EndingQuestion<Also extends string, Said extends Ending<Also>>({ place, begins, first, also, words, send, changes, onClose }: {
  /** Where losses of this kind are ended. */
  place: string;
  /** What is said before anything is chosen. */
  begins: Said;
  /** Asked before, and not answered. */
  first: Intent<Said> | null;
  also: Also;
  /** Without words for what is done besides it stays as it begins. */
  words: { title: string; text: string; also: string | null; reason: string; keep: string; problems: Readonly<Record<string, string>> };
  send: (said: Said, key: string) => Promise<unknown>;
  /** The lists that look different afterwards. */
  changes: readonly (readonly string[])[];
  onClose: () => void;
}) {
  const { t } = useText();
  const queryClient = useQueryClient();
  const [reason, setReason] = useState((first?.said ?? begins).reason);
  const [isAlso, setIsAlso] = useState<boolean>((first?.said ?? begins)[also]);
  const intent = useIntent(place, first);
  const others = useUnanswered<Said>(place).filter(({ said }) => said.payment === begins.payment).length;
  const end = useMutation({
    mutationFn: () => intent.send({ ...begins, [also]: isAlso, reason: reason.trim() }, send),
    onSuccess: onClose,
    // Also after an answer that was lost: it may be done.
    onSettled: () => Promise.all(changes.map((queryKey) => queryClient.invalidateQueries({ queryKey }))),
  });
  const isFixed = intent.isInDoubt || end.isPending;
  const isReady = intent.isInDoubt || reason.trim() !== '';
  const leave = (): void => {
    if (!end.isPending) onClose();
  };
  return (
    <Modal opened onClose={leave} title={words.title} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack component="form" data-question="resolve" onSubmit={(event) => {
        event.preventDefault();
        if (isReady && !end.isPending) end.mutate();
      }}>
        <Text size="sm">{words.text}</Text>
        <AskedAgain isInDoubt={intent.isInDoubt} others={end.isPending ? 0 : others} />
        {words.also !== null && <Checkbox label={words.also} name={also} disabled={isFixed} checked={isAlso} onChange={(event) => setIsAlso(event.currentTarget.checked)} />}
        <TextInput label={words.reason} name="reason" required maxLength={128} data-autofocus disabled={isFixed} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
        <ProblemNote error={end.error} words={words.problems} />
        <Group justify="flex-end">
          <Button variant="default" disabled={end.isPending} onClick={leave}>{intent.isInDoubt ? t.common.close : words.keep}</Button>
          <Button type="submit" disabled={!isReady} loading={end.isPending} data-action="yes">{intent.isInDoubt ? t.unanswered.again : words.title}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
