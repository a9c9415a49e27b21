// A plugin's settings, drawn from its JSON Schema.

import { Select, Switch, TextInput } from '@mantine/core';
import type { NamedField, Typed, Wrong } from '../settings-schema';
import { useText } from '../text/text';

export function SettingsFields({ fields, typed, wrong, onChange }: {
  fields: readonly NamedField[]; typed: Typed; wrong: Readonly<Record<string, Wrong>>; onChange: (typed: Typed) => void;
}) {
  const { t } = useText();
  const words = (one: Wrong | undefined): string | null => {
    if (one === undefined) return null;
    switch (one.kind) {
      case 'missing':
        return t.settings.missing;
      case 'url':
        return t.settings.url;
      case 'length':
        return t.settings.length.replace('{min}', String(one.min)).replace('{max}', String(one.max));
      case 'whole':
        return t.settings.whole.replace('{min}', String(one.min)).replace('{max}', String(one.max));
    }
  };
  return fields.map((field) => {
    const { name, title, description, isRequired } = field;
    const set = (value: string | boolean): void => onChange({ ...typed, [name]: value });
    const common = { label: title, description: description === '' ? undefined : description, error: words(wrong[name]), 'data-setting': name };
    const value = typed[name];
    if (field.kind === 'switch') return <Switch key={name} {...common} checked={value === true} onChange={({ currentTarget: { checked } }) => set(checked)} />;
    const text = typeof value === 'string' ? value : '';
    if (field.kind === 'choice') {
      return <Select key={name} {...common} required={isRequired} clearable={!isRequired} data={field.choices.map(String)} value={text === '' ? null : text} onChange={(choice) => set(choice ?? '')} />;
    }
    return (
      <TextInput key={name} {...common} required={isRequired} name={name} inputMode={field.kind === 'whole' ? 'numeric' : 'text'} value={text}
        onChange={({ currentTarget }) => set(currentTarget.value)} />
    );
  });
}
