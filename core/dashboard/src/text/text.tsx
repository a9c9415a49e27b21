import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from 'react';
import { en, type Texts } from './en';
import { zh } from './zh';

export type Language = 'en' | 'zh';

const TEXTS: Record<Language, Texts> = { en, zh };
const LOCALES: Record<Language, string> = { en: 'en-GB', zh: 'zh-CN' };
const STORED = 'saoma.language';

/** What was chosen last, else what the browser asks for, else English. */
function firstLanguage(): Language {
  const stored = localStorage.getItem(STORED);
  if (stored === 'en' || stored === 'zh') return stored;
  const wanted = navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase());
  return wanted.find((tag): tag is Language => tag === 'zh' || tag === 'en') ?? 'en';
}

interface TextContext {
  language: Language;
  locale: string;
  t: Texts;
  setLanguage: (language: Language) => void;
}

const Context = createContext<TextContext | null>(null);

export function TextProvider({ children }: { children: ReactNode }) {
  const [language, setLanguage] = useState(firstLanguage);
  useEffect(() => {
    localStorage.setItem(STORED, language);
    document.documentElement.lang = LOCALES[language];
  }, [language]);
  const value = useMemo(
    () => ({ language, locale: LOCALES[language], t: TEXTS[language], setLanguage }),
    [language],
  );
  return <Context value={value}>{children}</Context>;
}

export function useText(): TextContext {
  const context = useContext(Context);
  if (context === null) throw new Error('useText needs a TextProvider above it');
  return context;
}

/** The word for a value that the server may extend: its own name if there is no word for it yet. */
export function wordFor(words: Readonly<Record<string, string>>, value: string): string {
  return words[value] ?? value.replaceAll('_', ' ');
}
