import { Alert, Button, Code, CopyButton, Group, Modal, Stack } from '@mantine/core';
import { useText } from '../text/text';

/** A secret that core shows this once. */
export function SecretOnce({ title, hint, secret, onClose }: { title: string; hint: string; secret: string; onClose: () => void }) {
  const { t } = useText();
  return (
    <Modal opened onClose={onClose} closeOnClickOutside={false} size="lg" title={title} closeButtonProps={{ 'aria-label': t.common.close }}>
      <Stack>
        <Alert color="orange">{hint}</Alert>
        <Code block data-secret style={{ overflowWrap: 'anywhere', whiteSpace: 'pre-wrap' }}>{secret}</Code>
        <Group justify="flex-end">
          <CopyButton value={secret}>
            {({ copied, copy }) => <Button variant="light" onClick={copy}>{copied ? t.common.copied : t.common.copy}</Button>}
          </CopyButton>
        </Group>
      </Stack>
    </Modal>
  );
}
