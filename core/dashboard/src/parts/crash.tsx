import { Button, Center, Stack, Text } from '@mantine/core';
import { Component, type ReactNode } from 'react';
import { useText } from '../text/text';

/** A mistake of this page is told and can be left by loading it anew; it does not leave a blank screen. */
export class Crash extends Component<{ children: ReactNode }, { crashed: boolean }> {
  override state = { crashed: false };

  static getDerivedStateFromError(): { crashed: boolean } {
    return { crashed: true };
  }

  override render(): ReactNode {
    return this.state.crashed ? <Told /> : this.props.children;
  }
}

function Told() {
  const { t } = useText();
  return (
    <Center h="100vh">
      <Stack align="center" role="alert">
        <Text fw={600}>{t.problem.unexpectedTitle}</Text>
        <Button onClick={() => location.reload()}>{t.common.reload}</Button>
      </Stack>
    </Center>
  );
}
