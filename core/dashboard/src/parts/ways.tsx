// The ways through a room that has several pages.

import { Button, Group } from '@mantine/core';
import { Link } from 'react-router';

/** `ways`: path, what it is called, and whether one is there. */
export function Ways({ title, ways }: { title: string; ways: readonly (readonly [string, string, boolean])[] }) {
  return (
    <Group component="nav" gap="xs" aria-label={title}>
      {ways.map(([path, label, isHere]) => (
        <Button key={path} component={Link} to={path} size="xs" variant={isHere ? 'filled' : 'default'} data-way={path}
          {...(isHere ? { 'aria-current': 'page' as const } : {})}>{label}</Button>
      ))}
    </Group>
  );
}
