// A plugin's settings as a form: the part of JSON Schema that core takes (core/channels/src/settings.rs), read into fields, and what a
// person typed into them read back. Core checks what comes of it once more.

export type Field =
  | { kind: 'text'; min: number; max: number; isUrl: boolean }
  | { kind: 'whole'; min: number; max: number }
  | { kind: 'switch' }
  | { kind: 'choice'; choices: (string | number | boolean)[] };

export type NamedField = Field & { name: string; title: string; description: string; isRequired: boolean };

/** What stands in the form, by the field's name: text as it was typed, a switch as it stands. Left out: nothing was said. */
export type Typed = Readonly<Record<string, string | boolean>>;

/** What is wrong with one field, for the room's words. */
export type Wrong = { kind: 'missing' } | { kind: 'length'; min: number; max: number } | { kind: 'whole'; min: number; max: number } | { kind: 'url' };

/** Longest text where the schema does not say less, as core has it. */
const TEXT_CHARS_MAX = 4_096;

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const number = (value: unknown, otherwise: number): number => (typeof value === 'number' ? value : otherwise);

function fieldOf(property: Record<string, unknown>): Field {
  const choices = property['enum'];
  if (Array.isArray(choices)) return { kind: 'choice', choices: choices.filter((one): one is string | number | boolean => ['string', 'number', 'boolean'].includes(typeof one)) };
  switch (property['type']) {
    case 'boolean':
      return { kind: 'switch' };
    case 'integer':
      return { kind: 'whole', min: number(property['minimum'], Number.MIN_SAFE_INTEGER), max: number(property['maximum'], Number.MAX_SAFE_INTEGER) };
    default:
      return { kind: 'text', min: number(property['minLength'], 0), max: number(property['maxLength'], TEXT_CHARS_MAX), isUrl: property['format'] === 'uri' };
  }
}

/** The fields in the schema's order. */
export function fieldsOf(schema: unknown): NamedField[] {
  const { properties, required } = record(schema);
  const needed = Array.isArray(required) ? required : [];
  return Object.entries(record(properties)).map(([name, value]) => {
    const property = record(value);
    return { ...fieldOf(property), name, title: text(property['title']) || name, description: text(property['description']), isRequired: needed.includes(name) };
  });
}

/** The form of settings that there are; one that nobody has set stands empty. */
export function typedOf(fields: readonly NamedField[], settings: unknown): Typed {
  const set = record(settings);
  const known = fields.filter(({ name }) => set[name] !== undefined);
  return Object.fromEntries(known.map(({ name, kind }) => [name, kind === 'switch' ? set[name] === true : String(set[name])]));
}

/** Whether two persons see the same in a choice. */
const wordOf = (choice: string | number | boolean): string => String(choice);

/**
 * The settings that were typed, and what is wrong with them, by name. An empty field is not said; what the schema does not know (`before`) stays as it was.
 */
export function read(fields: readonly NamedField[], typed: Typed, before: unknown = {}): { settings: Record<string, unknown>; wrong: Record<string, Wrong> } {
  const names = new Set(fields.map(({ name }) => name));
  const settings: Record<string, unknown> = Object.fromEntries(Object.entries(record(before)).filter(([name]) => !names.has(name)));
  const wrong: Record<string, Wrong> = {};
  for (const field of fields) {
    const { name, isRequired } = field;
    const value = typed[name];
    if (field.kind === 'switch') {
      if (value !== undefined || isRequired) settings[name] = value === true;
      continue;
    }
    const said = typeof value === 'string' ? value : '';
    if (said === '') {
      if (isRequired) wrong[name] = { kind: 'missing' };
      continue;
    }
    if (field.kind === 'choice') {
      const choice = field.choices.find((one) => wordOf(one) === said);
      if (choice !== undefined) settings[name] = choice;
    } else if (field.kind === 'whole') {
      const whole = /^-?\d{1,15}$/.test(said.trim()) ? Number(said.trim()) : Number.NaN;
      if (Number.isSafeInteger(whole) && whole >= field.min && whole <= field.max) settings[name] = whole;
      else wrong[name] = { kind: 'whole', min: field.min, max: field.max };
    } else {
      const chars = [...said].length;
      if (chars < field.min || chars > field.max) wrong[name] = { kind: 'length', min: field.min, max: field.max };
      else if (field.isUrl && !URL.canParse(said)) wrong[name] = { kind: 'url' };
      else settings[name] = said;
    }
  }
  return { settings, wrong };
}
