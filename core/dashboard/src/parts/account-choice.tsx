// Which channel account a policy is about.

import { Select } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { api, got } from '../api/client';

/** `seesAccounts`: others keep the account that an owner has named. */
export function AccountChoice({ label, hint, value, isFixed, seesAccounts, onChange }: {
  label: string; hint: string; value: string; isFixed: boolean; seesAccounts: boolean; onChange: (account: string) => void;
}) {
  const accounts = useQuery({ queryKey: ['channel-accounts'], enabled: seesAccounts, queryFn: async () => (await got(api.GET('/v1/channel-accounts'))).items });
  const choices = accounts.data?.map(({ id, name, plugin }) => ({ value: id, label: `${name} (${plugin})` })) ?? [];
  if (value !== '' && !choices.some((choice) => choice.value === value)) choices.push({ value, label: value });
  return (
    <Select label={label} description={hint} data-input="channel-account" disabled={isFixed} data={choices} value={value === '' ? null : value}
      onChange={(chosen) => onChange(chosen ?? '')} />
  );
}
