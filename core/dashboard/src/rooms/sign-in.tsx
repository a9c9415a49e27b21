import { Alert, Button, Center, Group, Paper, PasswordInput, Stack, Text, TextInput, Title } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { type FormEvent, type ReactNode, useState } from 'react';
import { changePassword, finishLeaving, type Person, signIn, signOut } from '../api/session';
import { ProblemNote } from '../parts/problem';
import { useText } from '../text/text';

/** As core demands of a new password. */
const PASSWORD_LEN_MIN = 12;

function Door({ title, children, onSubmit }: { title: string; children: ReactNode; onSubmit: () => void }) {
  const { t, language, setLanguage } = useText();
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    onSubmit();
  };
  return (
    <Center component="main" mih="100vh" p="md">
      <Paper withBorder p="xl" w={380} maw="100%" component="form" onSubmit={submit} aria-label={title}>
        <Group justify="space-between" mb="md">
          <Text fw={700} c="var(--mantine-primary-color-light-color)">{t.product}</Text>
          <Button variant="subtle" size="compact-sm" data-action="language" onClick={() => setLanguage(language === 'zh' ? 'en' : 'zh')}>
            {language === 'zh' ? 'EN' : '中文'}
          </Button>
        </Group>
        <Stack>
          <Title order={1} size="h3">{title}</Title>
          {children}
        </Stack>
      </Paper>
    </Center>
  );
}

export function SignIn({ unfinished }: { unfinished: boolean }) {
  const { t } = useText();
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const enter = useMutation({ mutationFn: () => signIn(email.trim(), password) });
  const leave = useMutation({ mutationFn: finishLeaving });
  return (
    <Door title={t.signIn.title} onSubmit={() => enter.mutate()}>
      {unfinished && (
        <Alert color="orange" title={t.signIn.unfinished} data-note="unfinished">
          <Text size="sm" mb="xs">{t.signIn.unfinishedHint}</Text>
          <Button size="compact-sm" variant="default" loading={leave.isPending} onClick={() => leave.mutate()}>{t.common.retry}</Button>
        </Alert>
      )}
      <TextInput label={t.signIn.email} name="email" type="email" autoComplete="username" autoFocus required
        value={email} onChange={(event) => setEmail(event.currentTarget.value)} />
      <PasswordInput label={t.signIn.password} name="password" autoComplete="current-password" required
        value={password} onChange={(event) => setPassword(event.currentTarget.value)} />
      <ProblemNote error={enter.error} />
      <Button type="submit" loading={enter.isPending}>{t.signIn.submit}</Button>
    </Door>
  );
}

/** After a one-time password, which is good for nothing else. */
export function ChoosePassword({ person }: { person: Person }) {
  const { t } = useText();
  const [current, setCurrent] = useState('');
  const [next, setNext] = useState('');
  const [again, setAgain] = useState('');
  const change = useMutation({ mutationFn: () => changePassword(current, next) });
  const tooShort = next !== '' && [...next].length < PASSWORD_LEN_MIN;
  const sameAsOld = next !== '' && next === current;
  const different = again !== '' && again !== next;
  const ready = current !== '' && next !== '' && again === next && !tooShort && !sameAsOld;
  return (
    <Door title={t.signIn.first} onSubmit={() => ready && change.mutate()}>
      <Text size="sm" c="dimmed">{t.signIn.firstHint}</Text>
      <TextInput label={t.signIn.email} name="email" autoComplete="username" readOnly value={person.login} />
      <PasswordInput label={t.signIn.password} name="current" autoComplete="current-password" required
        value={current} onChange={(event) => setCurrent(event.currentTarget.value)} />
      <PasswordInput label={t.signIn.newPassword} name="new" autoComplete="new-password" required
        error={tooShort ? t.signIn.tooShort : sameAsOld ? t.signIn.sameAsOld : null}
        value={next} onChange={(event) => setNext(event.currentTarget.value)} />
      <PasswordInput label={t.signIn.again} name="again" autoComplete="new-password" required error={different ? t.signIn.different : null}
        value={again} onChange={(event) => setAgain(event.currentTarget.value)} />
      <ProblemNote error={change.error} />
      <Group justify="space-between">
        <Button variant="subtle" onClick={() => void signOut()}>{t.shell.signOut}</Button>
        <Button type="submit" disabled={!ready} loading={change.isPending}>{t.signIn.change}</Button>
      </Group>
    </Door>
  );
}
